/* rule_retention.c: resident memory grows while live memory does not: the allocator keeps more and more of what was freed. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/growth.h"
#include "inspect/verdict/recipe.h"

static const double live_at_most = 0.3, held_at_least = 0.5, least_bytes = 4 << 20, least_share = 0.05;

static void say_advice(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = f->heap.nallocators ? &f->heap.allocator[0] : NULL;

	if (!a) return;
	if (!strcmp(a->name, "glibc")) {
		if (a->narenas > 2) recipe_tunable(f, x, "arena_max", "MALLOC_ARENA_MAX", "2");
		recipe_code(x, "call malloc_trim(0) from time to time: it returns whole free pages, wherever they are");
		recipe_replace(f, x, "jemalloc");
	} else if (!strcmp(a->name, "jemalloc")) {
		recipe_jemalloc(f, x, a, "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0");
	} else if (!strcmp(a->name, "tcmalloc")) {
		recipe_variable(f, x, "TCMALLOC_AGGRESSIVE_DECOMMIT", "t");
	} else if (!strcmp(a->name, "mimalloc")) {
		recipe_mimalloc_delay(f, x, a, "0");
	} else {
		recipe_replace(f, x, NULL);
	}
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	struct growth g;
	char rate[UNITS_MAX], rss[UNITS_MAX], live[UNITS_MAX], held[UNITS_MAX];

	growth_of(f, &g);
	if (!g.tested || isnan(g.held.rise) || isnan(g.live.rise)) return finding_missing(x, "the heap could not be read twice: %s", *f->heap_group.why ? f->heap_group.why : "watch longer");
	if (!g.rss.steady || g.rss.rise < least_bytes || g.rss.rise < least_share * g.rss.level) return RULE_NO;
	if (g.live.rise > live_at_most * g.rss.rise || g.held.rise < held_at_least * g.rss.rise) return RULE_NO;
	finding_headline(x, "RSS grows by %s/s while live memory does not: the allocator keeps what is freed", units_bytes(g.rss.rise / f->watch_s, rate));
	finding_say(x, FINDING_EVIDENCE, "in %s RSS rose by %s, live by %s%s, free and held by %s; p = %.1g for RSS", units_seconds(f->watch_s, rate), units_bytes(g.rss.rise, rss), g.live.rise < 0 ? "-" : "",
	            units_bytes(fabs(g.live.rise), live), units_bytes(g.held.rise, held), g.rss.trend.p);
	finding_say(x, FINDING_EVIDENCE, "threshold: live at most %.0f %% of the rise, held free at least %.0f %%", 100 * live_at_most, 100 * held_at_least);
	growth_from_faults(f, &g, FINDING_FROM, x);
	finding_say(x, FINDING_CAUSE, "freed blocks are not used again soon enough, for other sizes, by other threads or in other places, so that new memory is taken; it is no leak");
	say_advice(f, x);
	finding_say(x, FINDING_EFFECT, "RSS follows live memory more closely");
	finding_say(x, FINDING_CHECK, "alloctop diagnose --for 1m %d", (int)f->id.pid);
	x->certainty = f->uptime_s < 60 ? FINDING_POSSIBLE : FINDING_LIKELY;
	x->cost_bytes = g.rss.rise / f->watch_s * 3600;
	return RULE_YES;
}

const struct rule rule_retention = {
	.name = "retention",
	.kind = "RETENTION",
	.title = "resident memory grows, live memory does not",
	.explanation = "Memory that was freed and stays with the allocator is retained: in thread caches, in bins, in arenas of other threads, in pages that wait for their decay time. It is used again when the same "
	               "kind of request comes. When it grows with a flat live size, requests do not meet what was freed. The live size is what tells it from a leak; the free memory that the allocator holds, from "
	               "memory that is not malloc's.",
	.threshold = "RSS grows (see leak: the same test), by at least 4M and 5 % during the watch, live memory by at most 30 % of that, free and cached resident memory by at least 50 %",
	.source = "jemalloc's manual, opt.dirty_decay_ms; Johnstone and Wilson, \"The Memory Fragmentation Problem: Solved?\", ISMM 1998",
	.test = test,
};
