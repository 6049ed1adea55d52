/* rule_glibc_trim.c: free memory at or below the top of glibc's main heap, which stays resident. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/glibc_free.h"
#include "inspect/verdict/recipe.h"

static const double least_bytes = 16 << 20, least_share = 0.25;

/* Free chunks of the sizes that fastbins keep. */
static double small(const struct heap_allocator *a)
{
	enum { FAST = 120 };
	double sum = 0;

	for (size_t i = 0; i < a->nclasses && a->class[i].size <= FAST; i++) sum += (double)a->class[i].free * (double)a->class[i].size;
	return sum;
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = facts_allocator(f, "glibc");
	struct glibc_free g;
	char top[UNITS_MAX], pages[UNITS_MAX], rest[UNITS_MAX], back[UNITS_MAX], live[UNITS_MAX], threshold[UNITS_MAX];

	if (!a) return RULE_NO;
	if (glibc_free_of(f, a, &g)) return finding_missing(x, "glibc's free memory is not known: %s", f->heap_group.known ? a->status_text : f->heap_group.why);
	double give = g.top + g.pages, rss = (double)f->heap.ledger.rss;
	/* most of it in other arenas: that is what glibc-arenas is for */
	if (give < least_bytes || give < least_share * rss || g.main_share < 0.5) return RULE_NO;
	int pinned = g.pages > g.top;
	units_bytes(g.top, top), units_bytes(g.pages, pages), units_bytes(g.rest, rest), units_bytes(give, back);
	units_bytes(facts_bytes(a->live_bytes), live);
	finding_headline(x, "glibc keeps %s of free memory resident, %.0f %% of RSS; %s is live%s", back, 100 * give / rss, live, pinned ? "; the top of the heap is pinned" : "");
	finding_say(x, FINDING_EVIDENCE, "trimmable at the top: %s; in whole pages below live blocks: %s; in pieces of pages, which nothing returns: %s", top, pages, rest);
	finding_say(x, FINDING_EVIDENCE, "threshold: %.0f %% of RSS and 16M; it was there at both ends of the watch", 100 * least_share);
	if (small(a) > give / 2)
		finding_say(x, FINDING_EVIDENCE, "%s of it in chunks of up to 120 bytes: fastbins keep them as they are until a free leaves 64K in one piece", units_bytes(fmin(small(a), give), threshold));
	double trim = facts_fact(a, "trim_threshold");
	if (!isnan(trim)) finding_say(x, FINDING_EVIDENCE, "trim_threshold is %s%s", units_bytes(trim, threshold), facts_fact(a, "mmap_threshold_fixed") > 0 ? "" : " (it follows the largest block that was freed, up to 64M)");
	if (pinned)
		finding_say(x, FINDING_CAUSE, "the main heap shrinks from its end only: a block that lives at or near the end, allocated while the heap was large, keeps everything below it, however empty that is; it is no leak");
	else finding_say(x, FINDING_CAUSE, "free gives the end of the heap back only when it is larger than trim_threshold, and looks only when it frees something large; it is no leak");
	recipe_code(x, "call malloc_trim(0) where a peak is over (before idling, after a large job): it returns whole free pages wherever they are");
	if (!pinned) recipe_tunable(f, x, "trim_threshold", "MALLOC_TRIM_THRESHOLD_", "131072");
	else {
		recipe_tunable(f, x, "mmap_threshold", "MALLOC_MMAP_THRESHOLD_", "131072");
		finding_say(x, FINDING_DO, "that helps where the peak is made of blocks of 128K and more: fixed, each has a mapping of its own, and goes back when it is freed");
		finding_say(x, FINDING_DO, "where it is made of small blocks: allocate what stays before what does not, or use an allocator that returns pages wherever they are free:");
		recipe_replace(f, x, "jemalloc");
	}
	finding_say(x, FINDING_EFFECT, "about %s less resident memory", back);
	finding_say(x, FINDING_CHECK, "alloctop heap %d", (int)f->id.pid);
	recipe_compare(f, x, pinned ? "MALLOC_MMAP_THRESHOLD_=131072" : "MALLOC_TRIM_THRESHOLD_=131072");
	x->certainty = FINDING_CERTAIN;
	x->cost_bytes = give;
	return RULE_YES;
}

const struct rule rule_glibc_trim = {
	.name = "glibc-trim",
	.kind = "RETENTION",
	.title = "free memory that glibc keeps, below a pinned top or at it",
	.explanation = "glibc's main heap grows and shrinks at its end (brk). free gives memory back when the free end is larger than M_TRIM_THRESHOLD, which by default follows the size of freed blocks up to 64M; "
	               "what lies below a live block stays, and one small block near the end is enough. RSS then stays at its peak while live memory is small: that looks like a leak and is none, as a second "
	               "peak uses the same memory again. malloc_trim(3) returns whole free pages of all arenas, in the middle too; what is left are holes smaller than a page.",
	.threshold = "free memory in whole pages, at the top or below, of at least 16M and a quarter of RSS, at both ends of the watch, most of it in the main arena",
	.source = "glibc, malloc/malloc.c (systrim, mtrim), malloc_trim(3), mallopt(3) M_TRIM_THRESHOLD",
	.test = test,
};
