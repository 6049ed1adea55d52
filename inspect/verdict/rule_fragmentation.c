/* rule_fragmentation.c: free memory between live blocks, which cannot be given back. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/glibc_free.h"
#include "inspect/verdict/recipe.h"

static const double least_bytes = 16 << 20, least_share = 0.25;
enum { CLASSES = 3, SITES = 3 };

/* Free bytes that live neighbours hold in place; NAN not known. */
static double stuck(const struct facts *f, const struct heap_allocator *a)
{
	struct glibc_free g;

	if (!strcmp(a->name, "glibc")) return glibc_free_of(f, a, &g) ? NAN : g.rest;
	if (a->free_bytes == HEAP_UNKNOWN) return NAN;
	return facts_steady(f, a->name, "free, between") + facts_steady(f, a->name, "free, by its counters");
}

static double free_in(const struct heap_class *c) { return c->free == HEAP_UNKNOWN ? 0 : (double)c->free * (double)c->size; }

static int most_free(const void *x, const void *y)
{
	double a = free_in(*(const struct heap_class *const *)x), b = free_in(*(const struct heap_class *const *)y);

	return a < b ? 1 : -(a > b);
}

/* Those that matter: with a twentieth of all that is free at least. */
static size_t worst_classes(const struct heap_allocator *a, const struct heap_class *out[CLASSES])
{
	static const double least_part = 0.05;
	const struct heap_class **all = xcalloc(a->nclasses + 1, sizeof *all);
	size_t n = 0;

	double sum = 0;
	for (size_t i = 0; i < a->nclasses; i++) {
		all[i] = &a->class[i];
		sum += free_in(all[i]);
	}
	qsort(all, a->nclasses, sizeof *all, most_free);
	for (; n < CLASSES && n < a->nclasses && free_in(all[n]) > least_part * sum; n++) out[n] = all[n];
	free(all);
	return n;
}

static void say_class(const struct heap_allocator *a, const struct heap_class *c, struct finding *x)
{
	char bytes[UNITS_MAX], size[UNITS_MAX], words[160] = "";

	if (c->pinned != HEAP_UNKNOWN && c->slabs != HEAP_UNKNOWN && c->slabs)
		snprintf(words, sizeof words, "; %.0f %% of its %llu slabs are at most a quarter used", 100 * (double)c->pinned / (double)c->slabs, (unsigned long long)c->slabs);
	else if (c->live != HEAP_UNKNOWN && c->live + c->free) snprintf(words, sizeof words, "; %.0f %% of its blocks are free", 100 * (double)c->free / (double)(c->live + c->free));
	finding_say(x, FINDING_EVIDENCE, "%s: %s free in blocks of %s%s", a->name, units_bytes(free_in(c), bytes), units_bytes((double)c->size, size), words);
}

/* Who has live blocks of the classes that are mostly free: they hold the slabs. */
static void say_pinning(const struct facts *f, const struct heap_allocator *a, const struct heap_class *const *worst, size_t nworst, struct finding *x)
{
	unsigned said = 0;

	for (size_t i = 0; i < f->nsites && said < SITES; i++) {
		const struct facts_site *s = &f->site[i];
		double size = s->live_objects > 0 ? s->live / s->live_objects : NAN;
		for (size_t k = 0; k < nworst; k++) {
			double below = worst[k] > a->class ? (double)worst[k][-1].size : 0;
			char bytes[UNITS_MAX];
			if (!(size > below && size <= (double)worst[k]->size)) continue;
			finding_say(x, FINDING_FROM, "%s: holds %s in blocks of that size", s->stack, units_bytes(s->live, bytes));
			said++;
			break;
		}
	}
	if (!said) finding_say(x, FINDING_FROM, "%s", f->agent_group.known ? "no sampled site holds blocks of these sizes" : "who holds the blocks between is not known: that needs the agent (alloctop run -- CMD)");
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = NULL;
	const struct heap_class *worst[CLASSES];
	double most = 0, unknown = 0;
	char bytes[UNITS_MAX], live[UNITS_MAX];

	for (size_t i = 0; i < f->heap.nallocators; i++) {
		double here = f->heap.allocator[i].in_use ? stuck(f, &f->heap.allocator[i]) : 0;
		if (isnan(here)) unknown = 1;
		else if (here > most) most = here, a = &f->heap.allocator[i];
	}
	if (!f->heap_group.known) return finding_missing(x, "the heap could not be read: %s", f->heap_group.why);
	if (most < least_bytes || most < least_share * (double)f->heap.ledger.rss) return unknown > 0 ? finding_missing(x, "free memory is not told apart from live: alloctop heap --full") : RULE_NO;
	size_t n = worst_classes(a, worst);
	finding_headline(x, "%s: %s is free between live blocks, %.0f %% of RSS, and cannot be given back", a->name, units_bytes(most, bytes), 100 * most / (double)f->heap.ledger.rss);
	finding_say(x, FINDING_EVIDENCE, "live %s; threshold: %.0f %% of RSS and 16M, at both ends of the watch", units_bytes(facts_bytes(a->live_bytes), live), 100 * least_share);
	for (size_t i = 0; i < n; i++) say_class(a, worst[i], x);
	say_pinning(f, a, worst, n, x);
	finding_say(x, FINDING_CAUSE, "blocks that live long lie on the same pages as blocks that were freed: a page goes back only when all of it is free");
	recipe_code(x, "keep what lives long apart from what does not: allocate it first, in one piece, or from a pool of its own");
	if (!strcmp(a->name, "jemalloc")) recipe_code(x, "where it is a cache, as in redis: activedefrag moves blocks; it needs jemalloc built for it");
	else recipe_replace(f, x, strcmp(a->name, "mimalloc") ? NULL : "jemalloc");
	finding_say(x, FINDING_EFFECT, "at best %s less; new blocks of these sizes use it as it is, so that it need not grow", bytes);
	finding_say(x, FINDING_CHECK, "alloctop heap --full --by class %d", (int)f->id.pid);
	recipe_compare(f, x, NULL);
	x->certainty = a->status == HEAP_COMPLETE ? FINDING_CERTAIN : FINDING_LIKELY;
	x->cost_bytes = most;
	return RULE_YES;
}

const struct rule rule_fragmentation = {
	.name = "fragmentation",
	.kind = "FRAGMENTATION",
	.title = "free memory that live blocks hold in place",
	.explanation = "An allocator takes memory by pages and gives it out by blocks. A page with one live block on it stays, however much of it is free. After a peak that mixed short-lived and long-lived blocks, "
	               "pages remain that are mostly free, and neither a trim nor a decay time returns them. The memory is used again for blocks of the same size, so it is bounded by the peak. In glibc what counts "
	               "here are pieces of pages; whole free pages are what glibc-trim is about. In allocators with slabs the classes say where: a slab with at most a quarter of its blocks in use is pinned by them.",
	.threshold = "free resident memory between live blocks of at least 16M and a quarter of RSS, at both ends of the watch, without the whole pages that could be trimmed",
	.source = "Johnstone and Wilson, \"The Memory Fragmentation Problem: Solved?\", ISMM 1998; redis.io, \"Memory optimization\" and MEMORY DOCTOR",
	.test = test,
};
