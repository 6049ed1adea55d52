/* rule_thread_caches.c: threads keep much freed memory for themselves. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

static const struct heap_thread *largest(const struct facts *f, size_t *n)
{
	const struct heap_thread *most = NULL;

	*n = 0;
	for (size_t i = 0; i < f->heap.nthreads; i++) {
		const struct heap_thread *t = &f->heap.thread[i];
		if (t->cached == HEAP_UNKNOWN || !t->cached) continue;
		++*n;
		if (!most || t->cached > most->cached) most = t;
	}
	return most;
}

/* By the ledger; where that does not tell blocks apart, by the allocator's own count. */
static double kept(const struct facts *f, const struct heap_allocator *a)
{
	const struct heap_allocator *before = facts_before(f, a);
	double counted = a->cached_bytes == HEAP_UNKNOWN ? 0 : (double)a->cached_bytes;

	if (before && before->cached_bytes != HEAP_UNKNOWN) counted = fmin(counted, (double)before->cached_bytes);
	return fmax(facts_steady(f, a->name, "cached"), fmin(counted, f->rss));
}

/* Back to what it does by itself; where nobody has raised it, less. */
static void say_glibc(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	enum { COUNT = 7, FEW = 2 };
	const char *tunables = facts_env(f, "GLIBC_TUNABLES");
	double count = facts_fact(a, "tcache_count");
	char value[8];

	snprintf(value, sizeof value, "%d", count <= COUNT ? FEW : COUNT);
	recipe_tunables(f, out, (struct recipe_tunable[]){ { "tcache_count", NULL, value }, { "tcache_max", NULL, "1032" } }, tunables && strstr(tunables, "tcache_max") ? 2 : 1);
}

static void say_do(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	if (!strcmp(a->name, "glibc")) {
		say_glibc(f, out, a);
	} else if (!strcmp(a->name, "jemalloc")) {
		recipe_jemalloc(f, out, a, facts_version(a->version, 5, 3) == 1 ? "tcache_max:4096" : "lg_tcache_max:12");
		recipe_code(out, "or, in a thread that becomes idle: mallctl(\"thread.tcache.flush\", NULL, NULL, NULL, 0)");
	} else if (!strcmp(a->name, "tcmalloc")) {
		recipe_variable(f, out, "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", "16777216");
		recipe_code(out, "or, in a thread that becomes idle: MallocExtension_MarkThreadIdle()");
	}
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	double bytes = a ? kept(f, a) : NAN;
	char text[UNITS_MAX], one[UNITS_MAX];
	size_t n;

	if (!a || !retained_matters(f, bytes)) return RULE_NO;
	units_bytes(bytes, text);
	finding_headline(out, "%s: %s of freed memory are in the caches of threads, %.0f %% of RSS", a->name, text, retained_percent(f, bytes));
	finding_say(out, FINDING_EVIDENCE, "%s in caches at the beginning and at the end of %.3g s (threshold: " RETAINED_WORDS ")", text, f->watch_s);
	const struct heap_thread *most = largest(f, &n);
	if (most) finding_say(out, FINDING_EVIDENCE, "%zu threads have any; the most is with thread %d (%s): %s", n, most->tid, most->name, units_bytes((double)most->cached, one));
	finding_say(out, FINDING_CAUSE, "what a thread frees stays with it for its own next allocation; of no use to others, and to nobody when it sleeps");
	say_do(f, out, a);
	finding_say(out, FINDING_EFFECT, "up to %s less; smaller caches mean more visits to the locked part of the allocator", text);
	finding_say(out, FINDING_CHECK, "alloctop heap --by thread %d", (int)f->id.pid);
	out->certainty = FINDING_CERTAIN;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_thread_caches = {
	.name = "thread-caches",
	.kind = "RETENTION",
	.title = "threads keep much freed memory in their caches",
	.explanation = "Allocators keep what a thread frees in a cache of that thread, so that its next allocation needs no lock: glibc 7 blocks (16 since 2.43) of each size up to 1 KiB, jemalloc what fits of "
		"each class up to 32 KiB, tcmalloc 32 MiB for all threads together. With many threads, or limits that were raised, it adds up; and threads that sleep in a pool "
		"do not give it back. mimalloc and musl have no such caches.",
	.threshold = "in caches and resident at both ends of the watch: " RETAINED_WORDS,
	.source = "glibc manual, \"Memory Allocation Tunables\", glibc.malloc.tcache_count; jemalloc(3), opt.tcache_max; gperftools, docs/tcmalloc.html",
	.test = test,
};
