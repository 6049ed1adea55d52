/* rule_jemalloc_background.c: jemalloc's free pages wait for a call of malloc that does not come. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

/* As jemalloc calls them (src/background_thread.c). */
static const char thread_name[] = "jemalloc_bg_thd";

static int has_thread(const struct facts *f)
{
	for (size_t i = 0; i < f->heap.nthreads; i++)
		if (!strcmp(f->heap.thread[i].name, thread_name)) return 1;
	return 0;
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "jemalloc");
	double overdue = facts_fact(a, "dirty_overdue"), ms = facts_fact(a, "dirty_decay"), bytes = facts_steady(f, "jemalloc", "free, trimmable");
	char text[UNITS_MAX];

	if (!a || !retained_matters(f, bytes)) return RULE_NO;
	if (isnan(overdue)) return finding_missing(out, "when jemalloc's arenas were last decayed was not found");
	/* extents may have pages that were never touched */
	bytes = fmin(bytes, overdue);
	if (!retained_matters(f, bytes) || has_thread(f)) return RULE_NO;
	units_bytes(bytes, text);
	finding_headline(out, "jemalloc: %s of dirty pages are overdue, %.0f %% of RSS, and nobody gives them back", text, retained_percent(f, bytes));
	finding_say(out, FINDING_EVIDENCE, "%s are in arenas that were not decayed for more than twice dirty_decay_ms, which is %.0f (threshold: " RETAINED_WORDS ")", text, ms);
	finding_say(out, FINDING_EVIDENCE, "none of its %zu threads is called %s", f->heap.nthreads, thread_name);
	finding_say(out, FINDING_CAUSE, "without a thread of its own jemalloc gives pages back only while somebody allocates or frees in the same arena, and nobody does");
	recipe_jemalloc(f, out, a, "background_thread:true");
	recipe_code(out, "or, after a peak: mallctl(\"arena.4096.purge\", NULL, NULL, NULL, 0) (4096: all arenas)");
	finding_say(out, FINDING_EFFECT, "RSS falls by about %s within %.3g s after the program has become quiet", text, 2 * ms / 1000);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: the row \"jemalloc: free, trimmable\"", (int)f->id.pid);
	out->certainty = FINDING_CERTAIN;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_jemalloc_background = {
	.name = "jemalloc-background",
	.kind = "RETENTION",
	.title = "jemalloc's dirty pages wait for a call that does not come",
	.explanation = "jemalloc has no clock of its own: an arena is decayed by ticks, every so many allocations and frees in it. When a program becomes quiet, or the "
		"threads of an arena have ended, its dirty pages stay for ever, whatever the decay times say. Each arena notes when it was last decayed; it is read here, "
		"and compared with the clock. With background_thread:true a thread per few processors (named jemalloc_bg_thd) does it. That thread is started by the first "
		"arena, so a program that forks and does not exec, early on, should switch it on after that, with mallctl(\"background_thread\").",
	.threshold = "dirty pages of arenas that were not decayed for twice dirty_decay_ms, resident: " RETAINED_WORDS "; no thread is called jemalloc_bg_thd",
	.source = "jemalloc(3), opt.background_thread; jemalloc 5.3 TUNING.md, \"background_thread\"; src/background_thread.c",
	.test = test,
};
