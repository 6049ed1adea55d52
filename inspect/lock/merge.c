/* merge.c: see merge.h. A figure is never averaged between sources: each keeps the name of the one that said it. */
#include "inspect/lock/merge.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/lock/tally.h"
#include "inspect/target/target.h"

static void take(struct lock_figure *into, const struct lock_figure *from)
{
	if (!into->source && from->source) *into = *from;
}

/* The better source's stacks, unless it has so few that chance decides. */
static int is_better(unsigned had, unsigned got)
{
	enum { ENOUGH = 50 };

	return got > had && had < ENOUGH;
}

static void merge_row(struct lock_row *into, struct lock_row *from)
{
	if (from->use == LOCK_USE_LOCK) into->use = LOCK_USE_LOCK;
	take(&into->utilisation, &from->utilisation);
	take(&into->mean_inside, &from->mean_inside);
	take(&into->contended, &from->contended);
	take(&into->waits_per_s, &from->waits_per_s);
	take(&into->lost_s_per_s, &from->lost_s_per_s);
	take(&into->eagain, &from->eagain);
	take(&into->cpu_s_per_s, &from->cpu_s_per_s);
	take(&into->wake_s_per_s, &from->wake_s_per_s);
	take(&into->spin_s_per_s, &from->spin_s_per_s);
	if (is_better(into->stack_samples, from->stack_samples)) {
		struct lock_stack *stack = into->stack;
		size_t n = into->nstacks;
		into->stack = from->stack;
		into->nstacks = from->nstacks;
		into->stack_source = from->stack_source;
		into->stack_samples = from->stack_samples;
		from->stack = stack;
		from->nstacks = n;
	}
	if (is_better(into->waiter_samples, from->waiter_samples)) {
		struct lock_waiter *waiter = into->waiter;
		size_t n = into->nwaiters;
		into->waiter = from->waiter;
		into->nwaiters = from->nwaiters;
		into->waiter_samples = from->waiter_samples;
		from->waiter = waiter;
		from->nwaiters = n;
	}
}

void merge(const struct lock_watch *w, struct lock_report *into, struct lock_report *from)
{
	for (size_t i = 0; i < from->nrows; i++) {
		struct lock_row *row = tally_row(w, into, from->row[i].addr);
		if (row) merge_row(row, &from->row[i]);
	}
	for (size_t i = 0; i < from->nnotices && into->nnotices < sizeof into->notice / sizeof *into->notice; i++)
		into->notice[into->nnotices++] = from->notice[i];
	if (from->delay_factor > 0) into->delay_factor = from->delay_factor;
	if (from->calls.source) {
		into->calls = from->calls;
		from->calls = (struct lock_calls){ 0 };
	}
	if (from->pauses) {
		into->pauses = from->pauses;
		into->pause_median_us = from->pause_median_us;
		into->pause_max_us = from->pause_max_us;
	}
}

static int lies_in(const struct lock_watch *w, uint64_t pc, const char *object)
{
	const struct map *m = maps_find(&w->t->maps, pc);
	const char *slash = m ? strrchr(m->path, '/') : NULL;

	return slash && !strcmp(slash + 1, object);
}

/* A lock that no reader named is an allocator's if those who wait came there through the allocator's own library. Where it is part of
   libc or of the program that says nothing. */
static void claim(const struct lock_watch *w, struct lock_row *row)
{
	enum { NEAR = 12 };

	for (size_t o = 0; o < w->nowners && row->use == LOCK_USE_LOCK && !*row->allocator; o++) {
		const struct lock_owner *x = &w->owner[o];
		double through = 0, all = 0;
		if (!strncmp(x->object, "libc.", 5) || !strncmp(x->object, "libc-", 5) || !strncmp(x->object, "ld-", 3) || lies_in(w, w->t->at_entry, x->object)) continue;
		for (size_t i = 0; i < row->nstacks; i++) {
			const struct lock_stack *k = &row->stack[i];
			unsigned j = 0;
			while (j < k->depth && j < NEAR && !lies_in(w, k->pc[j], x->object)) j++;
			all += k->waits;
			if (j < k->depth && j < NEAR) through += k->waits;
		}
		if (!(all > 0) || through < 0.9 * all) continue;
		snprintf(row->allocator, sizeof row->allocator, "%s", x->allocator);
		snprintf(row->name, sizeof row->name, "%s, a lock inside %.32s", x->allocator, x->object);
		row->kind = HEAP_LOCK_MUTEX;
	}
}

/* Holder and waiters, where no word counts them. */
static void derive_inside(struct lock_row *row)
{
	const struct lock_figure *held = &row->utilisation, *lost = &row->lost_s_per_s;

	if (row->mean_inside.source || !held->source || !lost->source) return;
	row->mean_inside = (struct lock_figure){ held->value + lost->value, held->error >= 0 && lost->error >= 0 ? hypot(held->error, lost->error) : LOCK_UNKNOWN, lost->source };
}

/* Stacks and threads are shares of what was seen waiting; the total is the best source's. */
static void scale(const struct lock_report *r, struct lock_row *row)
{
	double waits = 0, lost = 0, total = row->lost_s_per_s.source ? row->lost_s_per_s.value * r->period_s : LOCK_UNKNOWN;

	for (size_t i = 0; i < row->nstacks; i++) {
		waits += row->stack[i].waits;
		if (row->stack[i].lost_s > 0) lost += row->stack[i].lost_s;
	}
	for (size_t i = 0; i < row->nstacks && total >= 0; i++) {
		struct lock_stack *s = &row->stack[i];
		double share = lost > 0 ? fmax(s->lost_s, 0) / lost : waits > 0 ? s->waits / waits : 0;
		s->lost_s = share * total;
		if (row->waits_per_s.source && waits > 0) s->waits *= row->waits_per_s.value * r->period_s / waits;
	}
	tally_sort(row);
	for (size_t i = 0; i < row->nwaiters && total >= 0; i++) row->waiter[i].lost_s = row->waiter[i].share * total;
}

static double lost(const struct lock_row *row)
{
	return row->lost_s_per_s.source ? row->lost_s_per_s.value : 0;
}

static int order(const void *x, const void *y)
{
	const struct lock_row *a = x, *b = y;
	int class_a = *a->allocator ? 0 : a->use == LOCK_USE_LOCK ? 1 : 2, class_b = *b->allocator ? 0 : b->use == LOCK_USE_LOCK ? 1 : 2;

	if (class_a != class_b) return class_a - class_b;
	if (lost(a) != lost(b)) return lost(a) < lost(b) ? 1 : -1;
	if (a->utilisation.value != b->utilisation.value) return a->utilisation.value < b->utilisation.value ? 1 : -1;
	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* A lock that nobody was seen waiting for, by sources that would have: nothing lost. A word that tells of no waiter says the same. */
static void complete(struct lock_row *row, const char *watching)
{
	if (row->lost_s_per_s.source || !*row->allocator || row->nwaiters) return;
	if (row->contended.source && row->contended.value == 0) row->lost_s_per_s = (struct lock_figure){ 0, row->contended.error, row->contended.source };
	else if (watching && row->kind != HEAP_LOCK_MUSL) row->lost_s_per_s = (struct lock_figure){ 0, LOCK_UNKNOWN, watching };
}

/* A lock that was never seen in a call adds nothing, its error neither: there are thousands of them. */
static void sum(struct lock_figure *to, const struct lock_figure *f)
{
	if (!f->source) return;
	to->source = f->source;
	if (f->value > 0) to->error = hypot(to->error, f->error);
	to->value += f->value;
}

static void sum_cost(struct lock_report *r)
{
	r->cost = r->cost_error = LOCK_UNKNOWN;
	for (size_t i = 0; i < r->nrows; i++) {
		if (!*r->row[i].allocator) continue;
		sum(&r->waking, &r->row[i].wake_s_per_s);
		sum(&r->spinning, &r->row[i].spin_s_per_s);
	}
	if (r->allocator_lost < 0) return;
	r->cost = r->allocator_lost + r->waking.value + r->spinning.value;
	r->cost_error = sqrt(r->allocator_error * r->allocator_error + r->waking.error * r->waking.error + r->spinning.error * r->spinning.error);
	/* waking is scaled by how long the process's threads wait for a processor, as if all waited alike: what that is too much is an error */
	if (r->threads) r->cost_error = fmax(r->cost_error, r->cost - r->threads);
}

void merge_done(const struct lock_watch *w, struct lock_report *r)
{
	const char *watching = NULL;
	double square = 0;
	int known = 0;

	for (size_t i = 0; i < r->nnotices; i++)        /* those two see every sleeper */
		if (r->notice[i].state != LOCK_REFUSED && (!strcmp(r->notice[i].source, "futex-trace") || !strcmp(r->notice[i].source, "proc-syscall")))
			watching = r->notice[i].source;
	for (size_t i = 0; i < r->nrows; i++) {
		struct lock_row *row = &r->row[i];
		claim(w, row);
		complete(row, watching);
		derive_inside(row);
		scale(r, row);
		if (!row->lost_s_per_s.source || row->use != LOCK_USE_LOCK) continue;
		r->all_lost += row->lost_s_per_s.value;
		if (!*row->allocator) continue;
		known = 1;
		r->allocator_lost += row->lost_s_per_s.value;
		if (row->lost_s_per_s.error > 0) square += row->lost_s_per_s.error * row->lost_s_per_s.error;
	}
	if (!known) r->allocator_lost = LOCK_UNKNOWN;
	r->allocator_error = known ? sqrt(square) : LOCK_UNKNOWN;
	sum_cost(r);
	if (r->nrows) qsort(r->row, r->nrows, sizeof *r->row, order);
}

void lock_report_free(struct lock_report *r)
{
	for (size_t i = 0; i < r->nrows; i++) tally_free(&r->row[i]);
	free(r->row);
	r->row = NULL;
	for (size_t i = 0; i < r->calls.nstacks; i++) free(r->calls.stack[i].pc);
	free(r->calls.stack);
	free(r->calls.row);
	r->calls = (struct lock_calls){ 0 };
	r->nrows = r->nnotices = 0;
}
