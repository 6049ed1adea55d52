/* rule_musl_lock.c: threads that wait for musl's malloc. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

static const double least_lost = 0.2, surely_lost = 0.5;

/* What share of the work is done inside the lock: time that it is held, against the processor time spent elsewhere. NAN: not known. */
static double serial_share(const struct facts *f, const struct lock_row *row)
{
	double cpu = facts_cpu(f);
	double held = row->utilisation.value, spent = row->cpu_s_per_s.value != LOCK_UNKNOWN ? row->cpu_s_per_s.value : 0;

	if (held == LOCK_UNKNOWN || isnan(cpu) || !(cpu > 0)) return NAN;
	/* a holder that has to wait for a processor holds it too: where that is more than what ran, nothing can be said */
	double outside = cpu - spent - held;
	return outside > 0 ? held / (held + outside) : NAN;
}

static void figures(const struct facts *f, const struct pressure *p, struct finding *x)
{
	const struct lock_row *row = p->worst->row;
	char a[UNITS_MAX], words[200];
	size_t at;
	double share = serial_share(f, row);

	finding_say(x, FINDING_EVIDENCE, "%.2f thread-seconds lost per second, ±%.2f (threshold %.1f), seen by %s", p->lost, row->lost_s_per_s.error > 0 ? row->lost_s_per_s.error : 0, least_lost,
	            row->lost_s_per_s.source ? row->lost_s_per_s.source : "the locks' sources");
	if (row->mean_inside.source)
		finding_say(x, FINDING_EVIDENCE, "%.1f threads inside on average, two or more %.0f %% of the time; held %.0f %% of the time", row->mean_inside.value, 100 * row->contended.value,
		            100 * row->utilisation.value);
	if (row->waits_per_s.source) {
		at = (size_t)snprintf(words, sizeof words, "%s calls that wait per second", units_count(row->waits_per_s.value, a));
		if (row->eagain.source) snprintf(words + at, sizeof words - at, ", %.0f %% of them return at once (EAGAIN): the waiters spin through the kernel", 100 * row->eagain.value);
		finding_say(x, FINDING_EVIDENCE, "%s", words);
	}
	if (!isnan(share) && share > 0.02)
		finding_say(x, FINDING_EVIDENCE, "about %.0f %% of its work is done inside the lock: more than %.1f processors cannot be kept busy, and each further thread makes the queue longer; it has %u",
		            100 * share, 1 / share, f->cpus);
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = facts_allocator(f, "musl");
	struct pressure p;
	char inside[64] = "";

	if (!a || f->threads < 2) return RULE_NO;
	if (!f->locks_group.known) return finding_missing(x, "the locks could not be watched: %s", f->locks_group.why);
	pressure_of(f, "musl", "", &p);
	if (!p.worst || isnan(p.lost)) return finding_missing(x, "no source could see who waits for musl's locks");
	if (p.lost < least_lost) return RULE_NO;
	if (p.worst->row->mean_inside.source) snprintf(inside, sizeof inside, ": %.1f of %u threads inside", p.worst->row->mean_inside.value, f->threads);
	finding_headline(x, "%s%s, %.2f thread-seconds lost per second", p.worst->row->name, inside, p.lost);
	figures(f, &p, x);
	pressure_from(&p, x);
	if (!p.worst->nfrom) finding_say(x, FINDING_FROM, "not known: stacks need threads to be stopped for a moment (without --no-stop), or tracefs");
	finding_say(x, FINDING_CAUSE, "%s", !strcmp(a->name, "musl oldmalloc") ? "musl's old malloc takes a lock for each bin and one to split and merge, and all threads share them"
	                                    : "musl has one lock for all of malloc, taken by every malloc and by frees that open or empty a group; arenas or thread caches it has none");
	recipe_replace(f, x, "mimalloc");
	recipe_code(x, "where that cannot be: allocate less in the functions above: keep buffers per thread, pool objects, take larger pieces at a time");
	finding_say(x, FINDING_EFFECT, "the waiting goes: an allocator with caches per thread takes no lock on this path; with many processors that has been a factor of hundreds");
	recipe_compare(f, x, NULL);
	finding_say(x, FINDING_CHECK, "alloctop locks %d", (int)f->id.pid);
	x->certainty = p.lost >= surely_lost && (!p.worst->row->mean_inside.source || p.worst->row->mean_inside.value >= 1) ? FINDING_CERTAIN : FINDING_LIKELY;
	x->cost_threads = p.lost;
	return RULE_YES;
}

const struct rule rule_musl_lock = {
	.name = "musl-lock",
	.kind = "CONTENTION",
	.title = "threads wait for musl's malloc lock",
	.explanation = "musl's mallocng has one lock for the whole process. Every malloc takes it, and a free that opens or empties a group; a mapping is made while it is held. "
	               "Its waiters do not sleep: the lock's word changes with each arrival, so that their futex calls return at once and try again, and what strace and perf show is system time. "
	               "The word itself counts the threads inside, and is read a thousand times a second. What is held so much of the time bounds what further processors can do, by Amdahl's law, and "
	               "in practice more of them make it slower: 0.17 s became 117 s on 48 processors in the benchmark that made this known. No setting changes it; another allocator does.",
	.threshold = "at least 0.2 thread-seconds per second lost at musl's locks, with two threads or more; certain from 0.5 on",
	.source = "musl, src/malloc/mallocng/glue.h and src/thread/__lock.c; nickb.dev, \"Default musl allocator considered harmful (to performance)\"",
	.test = test,
};
