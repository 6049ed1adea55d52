/* rule_mimalloc_abandoned.c: mimalloc's pages of threads that have ended. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

/* What is free in them, and resident: at most what is free and resident at all. */
static double wasted(const struct facts *f, const struct heap_allocator *a)
{
	for (size_t i = 0; i < a->narenas; i++)
		if (!strncmp(a->arena[i].name, "abandoned", 9) && a->arena[i].free != HEAP_UNKNOWN) return fmin(facts_bytes(a->arena[i].free), facts_ledger(f, "mimalloc", "free"));
	return 0;
}

static void say_setting(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	if (facts_version(a->version, 3, 0) == 1) recipe_variable(f, out, "MIMALLOC_PAGE_RECLAIM_ON_FREE", "1");
	else if (facts_version(a->version, 2, 1) == 1) recipe_variable(f, out, "MIMALLOC_ABANDONED_RECLAIM_ON_FREE", "1");
	else finding_say(out, FINDING_DO, "versions 2.1.4 and later take such pages over when a block in them is freed: update (%s here)", *a->version ? a->version : "version not known");
	recipe_code(out, "keep threads in a pool, instead of ending them and starting new ones");
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "mimalloc");
	double bytes = a ? wasted(f, a) : NAN, pages = facts_fact(a, "pages_abandoned"), all = facts_fact(a, "pages");
	char text[UNITS_MAX], whole[UNITS_MAX];

	if (!a || !retained_matters(f, bytes)) return RULE_NO;
	units_bytes(bytes, text);
	finding_headline(out, "mimalloc: %s are free in pages of threads that have ended, %.0f %% of RSS", text, retained_percent(f, bytes));
	finding_say(out, FINDING_EVIDENCE, "%.0f of %.0f pages are abandoned: %s, of which %s are free (threshold: " RETAINED_WORDS ")", pages, all,
	            units_bytes(facts_fact(a, "abandoned"), whole), text);
	finding_say(out, FINDING_CAUSE, "a thread ended while blocks of its pages were still in use elsewhere; its pages stay as they are until another thread takes them over");
	say_setting(f, out, a);
	finding_say(out, FINDING_EFFECT, "up to %s are used again or given back", text);
	finding_say(out, FINDING_CHECK, "alloctop heap --by arena %d: \"abandoned pages\"", (int)f->id.pid);
	out->certainty = FINDING_LIKELY;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_mimalloc_abandoned = {
	.name = "mimalloc-abandoned",
	.kind = "FRAGMENTATION",
	.title = "mimalloc's abandoned pages hold free memory",
	.explanation = "A page of mimalloc belongs to one thread. When the thread ends and blocks in it live on, the page is abandoned: its free blocks are of use to nobody until another "
		"thread takes it over, which happens when one needs a page of that kind, or, if set, when it frees a block in it. Programs that start and end threads and hand over what "
		"these allocated collect such pages. What is free in them and resident is counted here.",
	.threshold = "free in abandoned pages and resident: " RETAINED_WORDS,
	.source = "mimalloc readme.md, \"Environment Options\", MIMALLOC_ABANDONED_RECLAIM_ON_FREE; include/mimalloc.h, mi_option_abandoned_reclaim_on_free; src/segment.c, mi_segment_abandon",
	.test = test,
};
