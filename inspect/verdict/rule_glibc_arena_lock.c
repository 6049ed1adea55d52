/* rule_glibc_arena_lock.c: threads that wait for the locks of glibc's arenas. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

static const double least_lost = 0.2, surely_lost = 0.5;
enum { ARENAS_PER_CPU = 8 };

/* The limit as somebody has set it, and where; 0: nobody has. */
static unsigned limit_set(const struct facts *f, const struct heap_allocator *a, const char **where)
{
	const char *variable = facts_env(f, "MALLOC_ARENA_MAX"), *tunables = facts_env(f, "GLIBC_TUNABLES");
	const char *entry = tunables ? strstr(tunables, "glibc.malloc.arena_max=") : NULL;
	double max = facts_fact(a, "arena_max");

	*where = entry ? "GLIBC_TUNABLES" : variable ? "MALLOC_ARENA_MAX" : "mallopt(M_ARENA_MAX) in the program";
	if (max >= 1) return (unsigned)max;
	unsigned long v = entry ? strtoul(entry + strlen("glibc.malloc.arena_max="), NULL, 0) : variable ? strtoul(variable, NULL, 0) : 0;
	return v < 1u << 20 ? (unsigned)v : 0;
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = facts_allocator(f, "glibc");
	const char *where;
	struct pressure p;
	char words[160], value[16];

	if (!a || f->threads < 2) return RULE_NO;
	if (!f->locks_group.known) return finding_missing(x, "the locks could not be watched: %s", f->locks_group.why);
	pressure_of(f, "glibc", "", &p);
	if (!p.worst || isnan(p.lost)) return finding_missing(x, "no source could see who waits for glibc's arenas");
	if (p.lost < least_lost) return RULE_NO;
	unsigned limit = limit_set(f, a, &where), wanted = f->threads < ARENAS_PER_CPU * f->cpus ? f->threads : ARENAS_PER_CPU * f->cpus;
	int low = limit && limit < wanted;
	finding_headline(x, "glibc: %u threads on %zu arena%s, %.2f thread-seconds lost per second at their locks%s", f->threads, a->narenas, a->narenas == 1 ? "" : "s", p.lost,
	                 low ? "; MALLOC_ARENA_MAX is too low" : "");
	finding_say(x, FINDING_EVIDENCE, "%s (threshold %.1f thread-seconds)", pressure_text(&p, words, sizeof words), least_lost);
	if (limit) finding_say(x, FINDING_EVIDENCE, "at most %u arena%s, set by %s; without that it would be %u (8 for each processor it may run on)", limit, limit == 1 ? "" : "s", where, ARENAS_PER_CPU * f->cpus);
	else finding_say(x, FINDING_EVIDENCE, "%zu arenas of at most %u (8 for each processor it may run on)", a->narenas, ARENAS_PER_CPU * f->cpus);
	pressure_from(&p, x);
	finding_say(x, FINDING_CAUSE, "%s", low ? "threads that share an arena take turns at its lock, whenever their own cache (tcache) is empty or full, and for all larger sizes"
	                                        : "a block goes back to the arena it came from: threads that free what others allocated, or that outnumber the arenas, meet at the same locks");
	if (low) {
		snprintf(value, sizeof value, "%u", wanted);
		recipe_tunable(f, x, "arena_max", "MALLOC_ARENA_MAX", value);
		finding_say(x, FINDING_DO, "if it was set to save memory: try %u first, or an allocator that needs no arenas for that", limit * 2 < wanted ? limit * 2 : wanted);
	}
	recipe_replace(f, x, "jemalloc");
	finding_say(x, FINDING_EFFECT, "%s", low ? "threads get arenas of their own and the waiting goes; each arena may hold some free memory more"
	                                         : "an allocator with larger caches per thread takes its locks seldom");
	snprintf(words, sizeof words, "MALLOC_ARENA_MAX=%s", low ? value : "");
	recipe_compare(f, x, low ? words : NULL);
	x->certainty = low && p.lost >= surely_lost ? FINDING_CERTAIN : FINDING_LIKELY;
	x->cost_threads = p.lost;
	return RULE_YES;
}

const struct rule rule_glibc_arena_lock = {
	.name = "glibc-arena-lock",
	.kind = "CONTENTION",
	.title = "threads wait for the locks of glibc's arenas",
	.explanation = "glibc gives threads arenas, each with one lock: up to eight for each processor, then threads share. Each thread also keeps up to seven blocks of each size up to 1032 bytes "
	               "(tcache), for which no lock is taken. MALLOC_ARENA_MAX is often set to 1 or 2 to save memory, and what was saved is then paid for at these locks. Where arenas are plenty and the "
	               "locks still cost, blocks are freed by other threads than those that allocated them: free takes the lock of the arena the block came from.",
	.threshold = "at least 0.2 thread-seconds per second lost at the arenas' locks; certain from 0.5 on when the limit is set below both the threads and 8 for each processor",
	.source = "glibc, malloc/arena.c (arena_get2, narenas_limit) and mallopt(3), M_ARENA_MAX",
	.test = test,
};
