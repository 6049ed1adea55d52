/* threads.c: the panel of threads: what each allocates (from the agent), holds of the allocator and of the stack (from outside), waits
 * (from the lock sources). */
#include "tui/panel.h"

#include <math.h>
#include <stdio.h>

#include "inspect/lock/lock.h"
#include "inspect/model/heap.h"
#include "inspect/model/snapshot.h"

enum { TID, NAME, RATE, CALLS, BYTES, WAIT, STACK, CACHED, ARENA, COLUMNS };

static const struct table_column column[] = {
	[TID] = { "tid", "TID", 7, FIGURE_NUMBER, COLUMN_FIXED | COLUMN_ASCENDING, "its id; the threads that have ended are one line" },
	[NAME] = { "name", "NAME", 15, FIGURE_TEXT, COLUMN_ASCENDING, "its name" },
	[RATE] = { "rate", "RATE/s", 6, FIGURE_BYTES, 0, "bytes it allocates per second (agent); -: no sample of late" },
	[CALLS] = { "calls", "CALLS/s", 7, FIGURE_COUNT, 0, "allocations per second (agent)" },
	[BYTES] = { "bytes", "ALLOC", 6, FIGURE_BYTES, 0, "bytes it has allocated since the agent began" },
	[WAIT] = { "wait", "WAIT", 5, FIGURE_SHARE, 0, "of its time, spent waiting for locks of the allocator" },
	[STACK] = { "stack", "STACK", 6, FIGURE_BYTES, 0, "resident bytes of its stack" },
	[CACHED] = { "cached", "CACHED", 6, FIGURE_BYTES, 0, "bytes in its cache of the allocator" },
	[ARENA] = { "arena", "ARENA", 0, FIGURE_TEXT, COLUMN_ASCENDING, "where it allocates from" },
};
static const struct table_shape shape = { "threads", column, COLUMNS, RATE };

static double figure(uint64_t v) { return v == HEAP_UNKNOWN ? NAN : (double)v; }

/* Neither list is sorted, and threads are few; a hostile target's many are cut off. */
static struct table_row *row_of(struct table *t, uint64_t tid, const char *name)
{
	enum { ROWS_MAX = 4096 };
	struct table_row *r = NULL;

	for (size_t i = 0; i < t->nrows && !r; i++)
		if (t->row[i].id == tid) r = &t->row[i];
	if (!r && t->nrows < ROWS_MAX) {
		r = table_add(t, tid);
		if (tid) r->cell[TID].number = (double)tid;
		r->cell[NAME].text = table_text(t, tid ? name : "(ended)");
	}
	return r;
}

static void agent(struct table *t, const struct snapshot *s, const struct snapshot *before, double interval)
{
	int comparable = before && before->epoch == s->epoch && interval > 0;

	for (size_t i = 0; i < s->nthreads; i++) {
		const struct snap_thread *x = &s->thread[i];
		if (!x->tid && !x->alloc_bytes) continue;
		struct table_row *r = row_of(t, x->tid, x->name);
		if (!r) return;
		r->cell[BYTES].number = isnan(r->cell[BYTES].number) ? (double)x->alloc_bytes : r->cell[BYTES].number + (double)x->alloc_bytes;
		if (!x->tid || !comparable) continue;
		uint64_t bytes = 0, calls = 0, samples = 0;
		/* a tid that was used again is another thread; the clock's rate is measured anew each time */
		for (size_t k = 0; k < before->nthreads; k++)
			if (before->thread[k].tid == x->tid && fabs(before->thread[k].start_s - x->start_s) < 0.01 + 1e-3 * x->start_s)
				bytes = before->thread[k].alloc_bytes, calls = before->thread[k].allocs, samples = before->thread[k].samples;
		/* its totals come with its samples: without one there is no telling */
		if (x->samples == samples && s->rate > 1) continue;
		r->cell[RATE].number = x->alloc_bytes > bytes ? (double)(x->alloc_bytes - bytes) / interval : 0;
		r->cell[CALLS].number = x->allocs > calls ? (double)(x->allocs - calls) / interval : 0;
	}
}

static void waits(struct table *t, const struct lock_report *l)
{
	int known = l->allocator_lost >= 0;

	for (size_t i = 0; i < t->nrows && known; i++)
		if (t->row[i].id) t->row[i].cell[WAIT].number = 0;
	for (size_t i = 0; i < l->nrows && known; i++) {
		const struct lock_row *row = &l->row[i];
		for (size_t k = 0; k < row->nwaiters && *row->allocator; k++) {
			struct table_row *r = row_of(t, (uint64_t)row->waiter[k].tid, row->waiter[k].name);
			if (!r || row->waiter[k].lost_s < 0 || l->period_s <= 0) continue;
			/* of samples, scaled: by chance more than all of its time */
			r->cell[WAIT].number = fmin(1, (isnan(r->cell[WAIT].number) ? 0 : r->cell[WAIT].number) + row->waiter[k].lost_s / l->period_s);
		}
	}
}

static void fill(struct table *t, const struct observation *o)
{
	for (size_t i = 0; o->heap && i < o->heap->nthreads; i++) {
		const struct heap_thread *x = &o->heap->thread[i];
		struct table_row *r = row_of(t, (uint64_t)x->tid, x->name);
		if (!r) break;
		r->cell[STACK].number = figure(x->stack);
		r->cell[CACHED].number = figure(x->cached);
		r->cell[ARENA].text = table_text(t, x->arena);
	}
	if (o->snap) agent(t, o->snap, o->before, o->interval_s);
	if (o->locks) waits(t, o->locks);
	if (!o->snap) table_note(t, "RATE, CALLS and ALLOC need the agent:  alloctop run -- CMD,  alloctop attach PID");
}

const struct panel panel_threads = {
	.key = '5', .name = "Threads", .table = STATE_THREAD, .shape = &shape, .parts = PANEL_AGENT | PANEL_HEAP | PANEL_LOCKS,
	.help = "What each thread allocates, keeps, and loses waiting for the allocator.",
	.without = "The threads have not been read yet.", .fill = fill,
};
