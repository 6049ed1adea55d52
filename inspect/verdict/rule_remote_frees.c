/* rule_remote_frees.c: what one thread allocates another frees, often. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

enum { RATE_MIN = 100000 /* per second: at remote_s each, 1 % of a processor */, SAMPLES_MIN = 20, SITES = 3 };
static const double share_min = 0.5;            /* of the blocks of a site: fewer are by chance */
static const double remote_s = 100e-9;          /* a cache line that another processor has, once or twice */
static const double lost_min = 0.05;            /* thread-seconds per second at the allocator's locks: then it is seen to hurt */

static double remote_rate(const struct facts_site *s)
{
	return s->samples >= SAMPLES_MIN && s->remote_share >= share_min && s->objects_per_s > 0 ? s->objects_per_s * s->remote_share : 0;
}

static const char *cause(const char *allocator)
{
	if (!strcmp(allocator, "glibc")) return "a block goes back to the arena it came from, under that arena's lock, when the cache of the thread that frees it is full";
	if (!strcmp(allocator, "jemalloc")) return "the cache of the thread that frees fills up and is emptied into bins of another thread's arena, under their mutexes";
	if (!strcmp(allocator, "tcmalloc")) return "the cache of the thread that frees fills up while that of the other is empty: both go to the central lists and their locks";
	if (!strcmp(allocator, "mimalloc")) return "each such block goes through an atomic list of its page, which its owner has to collect";
	return "both threads use the one lock of the allocator";
}

static void say_sites(const struct facts *f, struct finding *out)
{
	char rate[UNITS_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < f->nsites && n < SITES; i++) {
		const struct facts_site *s = &f->site[i];
		if (!(remote_rate(s) >= RATE_MIN / 10)) continue;
		finding_say(out, FINDING_FROM, "%s: %s per second, %.0f %% freed by other threads", s->stack, units_count(s->objects_per_s, rate), s->remote_share * 100);
		n++;
	}
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	const char *name = a ? a->name : "";
	struct pressure p;
	double rate = 0;
	char text[160], count[UNITS_MAX];

	/* what uses less than the threshold's blocks cost cannot be at it */
	if (!f->agent_group.known && facts_cpu(f) < RATE_MIN * remote_s) return RULE_NO;
	if (!f->agent_group.known) return f->threads > 1 ? finding_missing(out, "who frees what others allocated, only an agent sees: %s", f->agent_group.why) : RULE_NO;
	for (size_t i = 0; i < f->nsites; i++) rate += remote_rate(&f->site[i]);
	if (rate < RATE_MIN) return RULE_NO;
	pressure_of(f, name, "", &p);
	finding_headline(out, "%s blocks per second are freed by another thread than allocated them", units_count(rate, count));
	finding_say(out, FINDING_EVIDENCE, "%s per second, at sites of which at least half of the blocks are (threshold: 100k per second)", count);
	if (*pressure_text(&p, text, sizeof text)) finding_say(out, FINDING_EVIDENCE, "the allocator's locks: %s", text);
	say_sites(f, out);
	finding_say(out, FINDING_CAUSE, "%s", cause(name));
	recipe_code(out, "hand blocks back in batches to the thread that allocated them, or let the one that frees allocate");
	if (strcmp(name, "mimalloc")) recipe_replace(f, out, "mimalloc");
	finding_say(out, FINDING_EFFECT, "about %.2f processors, at 100 ns for each such block", rate * remote_s);
	recipe_compare(f, out, NULL);
	out->certainty = p.lost >= lost_min ? FINDING_LIKELY : FINDING_POSSIBLE;
	out->cost_threads = fmax(rate * remote_s, isnan(p.lost) ? 0 : p.lost);
	return RULE_YES;
}

const struct rule rule_remote_frees = {
	.name = "remote-frees",
	.kind = "CONTENTION",
	.title = "what one thread allocates another frees",
	.explanation = "Allocators are fast because each thread has memory of its own. A queue between threads, in which one allocates and the other frees, undoes that: the caches of the one are always empty and those "
		"of the other always full, and each block passes a lock or an atomic list on its way back. The agent notes for each sampled block which thread allocated it and which freed it. "
		"mimalloc is made for this pattern; in others it costs the more the more threads there are. Without waiting that was measured it is possible only that it hurts.",
	.threshold = "100000 blocks per second, at sites of which at least half are freed by another thread, by 20 samples or more each",
	.source = "Leijen, Zorn, de Moura: Mimalloc: Free List Sharding in Action (2019), 2.3; jemalloc 5.3 TUNING.md; gperftools, docs/tcmalloc.html, \"Garbage Collection of Thread Caches\"",
	.test = test,
};
