/* rule_glibc_arenas.c: glibc's many arenas, and those that nobody uses any more. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/glibc_free.h"
#include "inspect/verdict/recipe.h"

static const double least_bytes = 16 << 20, least_share = 0.2;

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = facts_allocator(f, "glibc");
	struct glibc_free g;
	char others[UNITS_MAX], stranded[UNITS_MAX], live[UNITS_MAX], value[16], variable[32];

	if (!a || a->narenas < 2) return RULE_NO;
	if (glibc_free_of(f, a, &g)) return finding_missing(x, "glibc's free memory is not known: %s", f->heap_group.known ? a->status_text : f->heap_group.why);
	double held = (g.top + g.inside) * (1 - g.main_share), rss = (double)f->heap.ledger.rss;
	if (held < least_bytes || held < least_share * rss) return RULE_NO;
	double limit = facts_fact(a, "arena_max");
	unsigned wanted = f->cpus < 4 ? 2 : 4;
	/* where that is the limit already: fewer */
	if (limit > 0 && limit <= wanted) wanted = limit > 1 ? (unsigned)limit / 2 : 1;
	int dead = g.stranded > held / 2;
	units_bytes(held, others), units_bytes(g.stranded, stranded), units_bytes(facts_bytes(a->live_bytes), live);
	if (dead) finding_headline(x, "glibc: %u arenas without a thread hold %s of free memory, %.0f %% of RSS", g.nstranded, stranded, 100 * g.stranded / rss);
	else finding_headline(x, "glibc: %zu arenas for %u threads hold %s of free memory, %.0f %% of RSS", a->narenas, f->threads, others, 100 * held / rss);
	finding_say(x, FINDING_EVIDENCE, "free and resident in arenas other than the main one: %s (threshold 16M and %.0f %% of RSS); %s is live in all", others, 100 * least_share, live);
	finding_say(x, FINDING_EVIDENCE, "%zu arenas, %u of them without a thread, with %s; limit %s%.0f; %u processors", a->narenas, g.nstranded, stranded,
	            limit > 0 ? "" : "8 for each processor, ", limit > 0 ? limit : 8.0 * f->cpus, f->cpus);
	finding_say(x, FINDING_CAUSE, "%s", dead ? "a thread that ends leaves its arena behind with what is free in it; only a new thread takes it up, and free memory of one arena serves no other"
	                                         : "each arena keeps what was freed in it for its own threads: the peaks of all of them add up, at whatever times they were");
	snprintf(value, sizeof value, "%u", wanted);
	snprintf(variable, sizeof variable, "MALLOC_ARENA_MAX=%u", wanted);
	recipe_tunable(f, x, "arena_max", "MALLOC_ARENA_MAX", value);
	recipe_code(x, "call malloc_trim(0) after a peak, or when a pool of threads has been torn down: it goes through all arenas");
	recipe_replace(f, x, "jemalloc");
	finding_say(x, FINDING_EFFECT, "up to %s less resident memory; fewer arenas may cost waiting: see alloctop locks", others);
	recipe_compare(f, x, variable);
	finding_say(x, FINDING_CHECK, "alloctop heap --by arena %d", (int)f->id.pid);
	x->certainty = dead ? FINDING_CERTAIN : FINDING_LIKELY;
	x->cost_bytes = held;
	return RULE_YES;
}

const struct rule rule_glibc_arenas = {
	.name = "glibc-arenas",
	.kind = "RETENTION",
	.title = "free memory in many, or stranded, arenas of glibc",
	.explanation = "With threads glibc makes arenas, up to eight for each processor, each with heaps of its own (mappings of up to 64M). What is freed in one serves the threads of that one only, so that "
	               "each holds free memory for its own peak. An arena whose threads have ended keeps its memory until a new thread is given it. In containers the processors of the whole machine "
	               "count, not the share the container may use, and tens of arenas in a small container are the usual reason why RSS is twice what is live.",
	.threshold = "free resident memory in other arenas than the main one of at least 16M and a fifth of RSS, at both ends of the watch; certain when most of it is in arenas without a thread",
	.source = "glibc, malloc/arena.c; mallopt(3), M_ARENA_MAX; Heroku, \"Tuning glibc Memory Behavior\"",
	.test = test,
};
