/* rule_tcache_overflow.c: threads free more blocks of a size at a time than glibc's tcache takes, so that the arena gets them, under its lock. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

/* A tenth of a processor's time inside the arenas: tcache is there so that it is next to nothing. */
static const double held_min = 0.1;
/* Of the bins that have any: a thread that frees what it has allocated has few of them full at a moment. */
static const double full_min = 0.25;
/* Of what is freed, by other threads: then the ones' caches are always full and the others' empty, however large they are. */
static const double remote_max = 0.5;
/* Of what is allocated, blocks that may pass through a tcache at all. */
static const double small_min = 0.5;
enum { TCACHE_MAX = 1032 };

static double full_share(const struct heap_allocator *a)
{
	return facts_fact(a, "tcache_bins_full") / facts_fact(a, "tcache_bins_used");
}

/* Of all objects allocated per second, those that other threads free, and those that may pass through a tcache; NAN without an agent. */
static double remote_share(const struct facts *f, double *small)
{
	double all = 0, remote = 0, every = 0;

	*small = 0;

	for (size_t i = 0; f->agent_group.known && i < f->nsites; i++) {
		const struct facts_site *s = &f->site[i];
		if (!(s->objects_per_s > 0)) continue;
		every += s->objects_per_s;
		*small += s->size <= TCACHE_MAX ? s->objects_per_s : 0;
		if (isnan(s->remote_share)) continue;
		all += s->objects_per_s;
		remote += s->objects_per_s * s->remote_share;
	}
	*small = every > 0 ? *small / every : NAN;
	return all > 0 ? remote / all : NAN;
}

/* The batches' size is seen nowhere: a step that is worth it, and the next one if it was not enough. */
static int tcache_wanted(const struct heap_allocator *a, double count)
{
	enum { FIRST = 512, STEP = 8, MOST = 65535, MOST_2_29 = 127 };
	double wanted = count < FIRST ? FIRST : count * STEP, most = facts_version(a->version, 2, 30) == 0 ? MOST_2_29 : MOST;

	return (int)fmin(wanted, most);
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "glibc"), *before = facts_before(f, a);
	double full = full_share(a), count = facts_fact(a, "tcache_count"), small, remote = remote_share(f, &small);
	struct pressure p;
	char text[160], value[16];

	if (!a || !(count > 0)) return RULE_NO;
	if (before && !isnan(full_share(before))) full = (full + full_share(before)) / 2;
	pressure_of(f, "glibc", "glibc", &p);
	if (isnan(full) || full < full_min || remote > remote_max || small < small_min) return RULE_NO;
	if (isnan(p.held)) return f->threads > 1 && !f->locks_group.known ? finding_missing(out, "whether glibc's arenas are busy: %s", f->locks_group.why) : RULE_NO;
	if (p.held < held_min) return RULE_NO;
	finding_headline(out, "glibc: %.0f %% of the tcache bins in use are full, and the arenas are locked %.0f %% of the time", full * 100, p.held * 100);
	finding_say(out, FINDING_EVIDENCE, "%.0f %% of the bins that hold anything hold all they may, %.0f blocks (threshold: 25 %%)", full * 100, count);
	finding_say(out, FINDING_EVIDENCE, "arenas: %s (threshold: held 10 %%, all arenas together)", pressure_text(&p, text, sizeof text));
	if (!isnan(remote)) finding_say(out, FINDING_EVIDENCE, "%.0f %% are freed by another thread (above 50 %% larger caches would not help)", remote * 100);
	pressure_from(&p, out);
	finding_say(out, FINDING_CAUSE, "the threads allocate and free so many blocks of a size at once that most pass their caches by, to the arena and its lock");
	int wanted = tcache_wanted(a, count);
	snprintf(value, sizeof value, "%d", wanted);
	recipe_tunable(f, out, "tcache_count", NULL, value);
	finding_say(out, FINDING_EFFECT, "most of the %.0f %% of a processor spent inside the arenas; each thread may keep up to so many blocks of each size below 1 KiB", p.held * 100);
	snprintf(text, sizeof text, "GLIBC_TUNABLES=glibc.malloc.tcache_count=%d", wanted);
	recipe_compare(f, out, text);
	out->certainty = isnan(remote) ? FINDING_POSSIBLE : FINDING_LIKELY;
	out->cost_threads = isnan(p.lost) ? p.held : p.lost + p.held;
	return RULE_YES;
}

const struct rule rule_tcache_overflow = {
	.name = "tcache-overflow",
	.kind = "CONTENTION",
	.title = "glibc's thread caches overflow into the arenas",
	.explanation = "glibc's tcache (2.26) keeps tcache_count freed blocks of each size for each thread: 7, since 2.43 16. A program that allocates and frees in batches larger than that "
		"sends all but a few to the arena, each under its lock. What tells is bins that are full, read from the threads' caches, while the arenas are locked for much of the "
		"time. Full bins are also those of threads that only free what others allocate: then a larger cache only fills later, and an agent, which sees who frees what, "
		"silences this rule; without one it is possible only. A single-threaded program does not lock, so nothing is seen there. Blocks above 1032 bytes never pass through a tcache, and lock "
		"the arena always: with an agent the rule is silent where most are larger.",
	.threshold = "25 % of the bins in use full; arenas held 10 % of the time; with an agent, at most half of the blocks freed by other threads, and at least half of at most 1032 bytes",
	.source = "glibc manual, \"Memory Allocation Tunables\", glibc.malloc.tcache_count; glibc, malloc/malloc.c, tcache_put",
	.test = test,
};
