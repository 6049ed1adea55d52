/* locks.c: the panel of locks: what waiting for the allocator costs, and what other locks cost, so that the first is not blamed for the
 * second. Measured from outside, without stopping a thread. */
#include "tui/panel.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/lock/lock.h"
#include "tui/frames.h"

enum { NAME, LOST, ERROR, BAR, WAITS, HELD, INSIDE, CONTENDED, AGAIN, WHOSE, COLUMNS, DETAIL_MAX = 16 << 10, STACKS = 8, STACK_DEPTH = 24, FEW = 4 };

static const struct table_column column[] = {
	[NAME] = { "lock", "LOCK", 26, FIGURE_TEXT, COLUMN_ASCENDING | COLUMN_GROWS, "by the allocator's own name; futex: not the allocator's" },
	[LOST] = { "lost", "LOST", 6, FIGURE_SECONDS, 0, "thread-seconds lost waiting for it, per second" },
	[ERROR] = { "error", "±", 6, FIGURE_SECONDS, COLUMN_FIXED, "standard error of LOST" },
	[BAR] = { "bar", "", 8, FIGURE_BAR, COLUMN_FIXED, "LOST, of the time of all threads" },
	[WAITS] = { "waits", "WAITS/s", 7, FIGURE_COUNT, 0, "calls that wait, per second" },
	[HELD] = { "held", "HELD", 6, FIGURE_SHARE, 0, "of the time, that somebody holds it" },
	[INSIDE] = { "inside", "INSIDE", 6, FIGURE_COUNT, 0, "threads in it on average, the holder among them" },
	[CONTENDED] = { "contended", "CONTEND", 7, FIGURE_SHARE, 0, "of the time, that two or more are in it" },
	[AGAIN] = { "eagain", "EAGAIN", 6, FIGURE_SHARE, COLUMN_FIXED, "waiting calls that returned at once: spinning in the kernel" },
	[WHOSE] = { "whose", "WHOSE", 0, FIGURE_TEXT, COLUMN_ASCENDING, "the allocator it belongs to, or what is known of it" },
};
static const struct table_shape shape = { "locks", column, COLUMNS, COLUMNS };

static double figure(const struct lock_figure *f) { return f->source && f->value >= 0 ? f->value : NAN; }

static int sources(char *buf, size_t n, const struct lock_row *r)
{
	static const char *const word[] = { "held", "waits", "lost" };
	const struct lock_figure *f[] = { &r->utilisation, &r->waits_per_s, &r->lost_s_per_s };
	int at = 0;

	for (int i = 0; i < 3; i++)
		if (f[i]->source) at += snprintf(buf + at, n - (size_t)at, "%s%s: %s", at ? ", " : "measured by: ", word[i], f[i]->source);
	return at;
}

/* As it is printed, without a fraction. */
static const char *plural(double n) { return n > 0.5 && n < 1.5 ? "" : "s"; }

static void detail(struct table *t, struct table_row *row, const struct lock_row *r, const struct lock_report *l, const struct observation *o)
{
	char buf[DETAIL_MAX];
	size_t at = (size_t)snprintf(buf, sizeof buf, "%s at 0x%llx, over %.1f s\n", r->name, (unsigned long long)r->addr, l->period_s);

	at += (size_t)sources(buf + at, sizeof buf - at, r);
	at += (size_t)snprintf(buf + at, sizeof buf - at, "\n");
	for (size_t i = 0; i < r->nwaiters && i < 12; i++)
		at += (size_t)snprintf(buf + at, sizeof buf - at, "%s  %-7d %-16s %5.1f%%\n", i ? "" : "\nwho waits:\n", (int)r->waiter[i].tid, r->waiter[i].name, 100 * r->waiter[i].share);
	for (size_t i = 0; i < r->nstacks && i < STACKS && at + 256 < sizeof buf; i++) {
		const struct lock_stack *s = &r->stack[i];
		if (s->lost_s >= 0) at += (size_t)snprintf(buf + at, sizeof buf - at, "\n%.3f s lost in %.0f wait%s at:\n", s->lost_s, s->waits, plural(s->waits));
		else at += (size_t)snprintf(buf + at, sizeof buf - at, "\n%.0f wait%s at:\n", s->waits, plural(s->waits));
		frames_text(buf, sizeof buf, "  ", s->pc, s->depth < STACK_DEPTH ? s->depth : STACK_DEPTH, 1, o->symbols);
		at = strlen(buf);
	}
	if (!r->nstacks && at + 200 < sizeof buf) snprintf(buf + at, sizeof buf - at, "\nno call stacks were seen. With the key S a waiting thread is stopped for a moment where its stack needs that; it asks first.\n");
	row->detail = table_text(t, buf);
}

/* Some allocators have hundreds of locks: those of which there is nothing to say are only counted. */
static int quiet(const struct lock_row *r)
{
	const struct lock_figure *f[] = { &r->lost_s_per_s, &r->waits_per_s, &r->utilisation, &r->contended };

	for (int i = 0; i < 4; i++)
		if (f[i]->source && f[i]->value > 0) return 0;
	return *r->allocator != 0;
}

static void notes(struct table *t, const struct lock_report *l, size_t left_out)
{
	char buf[TABLE_CELL] = "";
	size_t at = 0;

	if (l->pauses)
		at = (size_t)snprintf(buf, sizeof buf, "%u stop%s of a thread: median %.0f µs, longest %.0f µs", l->pauses, l->pauses > 1 ? "s" : "", l->pause_median_us, l->pause_max_us);
	if (left_out)
		at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%zu more lock%s nobody waited for", at ? "; " : "", left_out, left_out > 1 ? "s that" : " that");
	for (size_t i = 0; i < l->nnotices && at < sizeof buf; i++)
		if (l->notice[i].state != LOCK_USED) at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%s: %s", at ? "; " : "", l->notice[i].source, l->notice[i].text);
	table_note(t, "%s", buf);
}

static void fill(struct table *t, const struct observation *o)
{
	const struct lock_report *l = o->locks;
	size_t left_out = 0;

	for (size_t i = 0; i < l->nrows; i++) {
		const struct lock_row *x = &l->row[i];
		if (t->nrows >= FEW && quiet(x)) {
			left_out++;
			continue;
		}
		struct table_row *r = table_add(t, x->addr);
		r->cell[NAME].text = table_text(t, x->name);
		/* who waits for an event idles: nothing is lost */
		int event = !*x->allocator && x->use == LOCK_USE_EVENT;
		if (!event) r->cell[LOST].number = figure(&x->lost_s_per_s);
		if (!event && x->lost_s_per_s.error >= 0) r->cell[ERROR].number = x->lost_s_per_s.error;
		if (!event && l->threads) r->cell[BAR].number = figure(&x->lost_s_per_s) / l->threads;
		r->cell[WAITS].number = figure(&x->waits_per_s);
		r->cell[HELD].number = figure(&x->utilisation);
		r->cell[INSIDE].number = figure(&x->mean_inside);
		r->cell[CONTENDED].number = figure(&x->contended);
		r->cell[AGAIN].number = figure(&x->eagain);
		r->cell[WHOSE].text = table_text(t, *x->allocator ? x->allocator : event ? "an event: idle" : "not malloc's");
		detail(t, r, x, l, o);
	}
	notes(t, l, left_out);
	if (!t->nrows && !*t->note) table_note(t, "No lock was waited for.");
}

const struct panel panel_locks = {
	.key = '4', .name = "Locks", .table = STATE_LOCK, .shape = &shape, .parts = PANEL_LOCKS,
	.help = "What waiting for locks costs: the allocator's first, then the others.",
	.enter = "how it was measured, who waits, from where",
	.stops = "Threads that wait for a lock, and whose stacks cannot be told otherwise, are stopped one at a time, at most 40 each second, for as long as it takes "
		 "to copy their registers and the upper part of their stack: some 50 to 100 µs each. Nothing is written into the process. It goes on while this "
		 "panel is shown, until S is pressed again.",
	.without = "The locks have not been watched yet.", .fill = fill,
};
