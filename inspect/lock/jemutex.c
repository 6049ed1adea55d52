/* jemutex.c: what jemalloc itself counts at its mutexes, read from outside at the begin and at the end: exact, however short the
 * waits are. The counters stand in front of each mutex (jemalloc 5.x, include/jemalloc/internal/mutex.h, mutex_prof_data_t, 64 bytes; there
 * only when it was built with statistics, as it is by default). A wait is counted when spinning did not help. */
#include "inspect/lock/tally.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

static const char name[] = "jemalloc-counters";

struct counters {
	uint64_t total_wait_ns, max_wait_ns, waits, spins;
	uint32_t max_threads, waiting;
	uint64_t owner_switches, previous_owner, operations;
};
_Static_assert(sizeof(struct counters) == 64, "as jemalloc lays it out");

static int plausible(const struct lock_watch *w, const struct counters *c)
{
	return c->total_wait_ns >= c->max_wait_ns && c->waits <= c->operations && c->spins <= c->operations && c->owner_switches <= c->operations &&
	       c->waiting <= w->t->nthreads * 2 + 64 && (c->waits || !c->max_wait_ns);
}

static int read_counters(const struct lock_watch *w, size_t i, struct counters *c)
{
	uint64_t at = w->known[i].lock.addr - sizeof *c;

	return mem_read_some(w->t->mem, at, c, sizeof *c) == sizeof *c && plausible(w, c);
}

static int is_ours(const struct lock_known *k)
{
	return k->lock.kind == HEAP_LOCK_MUTEX && !strncmp(k->allocator, "jemalloc", 8);
}

static void report(const struct lock_watch *w, struct lock_report *r, const struct counters *before, const struct counters *after, size_t i)
{
	struct lock_row *row = tally_row(w, r, w->known[i].lock.addr);
	double waits = (double)(after->waits - before->waits), lost = (double)(after->total_wait_ns - before->total_wait_ns) * 1e-9;

	if (!row || !(r->period_s > 0)) return;
	/* counted, not sampled: the error is what the last, unfinished waits would have added */
	row->waits_per_s = (struct lock_figure){ waits / r->period_s, 0, name };
	row->lost_s_per_s = (struct lock_figure){ lost / r->period_s, (double)after->waiting * (double)after->max_wait_ns * 1e-9 / r->period_s, name };
}

static int measure(const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	struct counters *before = xcalloc(w->nknown + 1, sizeof *before), after;
	uint8_t *good = xcalloc(w->nknown + 1, 1);
	double begin = tally_now(), spins = 0;
	size_t ours = 0, counted = 0, lost = 0;

	for (size_t i = 0; i < w->nknown; i++) {
		ours += (size_t)is_ours(&w->known[i]);
		good[i] = is_ours(&w->known[i]) && read_counters(w, i, &before[i]);
		counted += good[i];
	}
	while (counted && tally_now() < begin + w->o->period_s && !__atomic_load_n(w->stop, __ATOMIC_RELAXED)) tally_sleep(0.02);
	r->period_s = tally_now() - begin;
	for (size_t i = 0; i < w->nknown; i++) {
		if (!good[i]) continue;
		if (!read_counters(w, i, &after) || after.operations < before[i].operations || after.waits < before[i].waits || after.total_wait_ns < before[i].total_wait_ns) {
			lost++;         /* the process is gone, or reset them */
			continue;
		}
		spins += (double)(after.spins - before[i].spins);
		report(w, r, &before[i], &after, i);
	}
	if (counted > lost)
		tally_notice(r, name, lost ? LOCK_LIMITED : LOCK_USED, "of %zu mutexes; %.0f more were taken after spinning, which is not counted as waiting", counted - lost, spins);
	free(before);
	free(good);
	if (!ours) return err_set(e, ERR_UNSUPPORTED, "there is no jemalloc in the process"), 1;
	if (counted <= lost) return err_set(e, ERR_UNSUPPORTED, "jemalloc's mutexes have no counters: it was built without statistics, or its layout is another");
	return 0;
}

const struct lock_source lock_jemutex = { name, "jemalloc built with statistics, and permission to read the process's memory", measure };
