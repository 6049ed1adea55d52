/* tally.c: rows, stacks, waiters, means with their errors. See tally.h. */
#include "inspect/lock/tally.h"

#include <inttypes.h>
#include <linux/futex.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "inspect/target/xalloc.h"

enum { ROWS_MAX = 4096, STACKS_MAX = 2048, WAITERS_MAX = 16384 };

static const struct lock_figure unknown = { LOCK_UNKNOWN, LOCK_UNKNOWN, NULL };

struct lock_row *tally_row(const struct lock_watch *w, struct lock_report *r, uint64_t addr)
{
	struct lock_row *row;

	for (size_t i = 0; i < r->nrows; i++)
		if (r->row[i].addr == addr) return &r->row[i];
	if (r->nrows == ROWS_MAX) return NULL;
	if (!(r->nrows & (r->nrows - 1))) r->row = xreallocarray(r->row, r->nrows ? 2 * r->nrows : 1, sizeof *r->row);
	row = &r->row[r->nrows++];
	*row = (struct lock_row){ .addr = addr, .utilisation = unknown, .mean_inside = unknown, .contended = unknown, .waits_per_s = unknown,
	                          .lost_s_per_s = unknown, .eagain = unknown, .cpu_s_per_s = unknown,
	                          .wake_s_per_s = unknown, .spin_s_per_s = unknown, .use = LOCK_USE_EVENT };
	snprintf(row->name, sizeof row->name, "futex 0x%" PRIx64, addr);
	for (size_t i = 0; i < w->nknown; i++) {
		const struct lock_known *k = &w->known[i];
		if (k->lock.addr != addr) continue;
		snprintf(row->allocator, sizeof row->allocator, "%s", k->allocator);
		snprintf(row->name, sizeof row->name, "%s", k->lock.name);
		row->kind = k->lock.kind;
		row->use = LOCK_USE_LOCK;
		break;
	}
	return row;
}

static struct lock_stack *find_stack(struct lock_row *row, const uint64_t *pc, unsigned depth)
{
	for (size_t i = 0; i < row->nstacks; i++)
		if (row->stack[i].depth == depth && !memcmp(row->stack[i].pc, pc, depth * sizeof *pc)) return &row->stack[i];
	return NULL;
}

void tally_stack(struct lock_row *row, const uint64_t *pc, unsigned depth, unsigned scanned, double waits, double lost_s)
{
	struct lock_stack *s = find_stack(row, pc, depth);

	if (!depth) return;
	if (!s) {
		if (row->nstacks == STACKS_MAX) return;
		if (!(row->nstacks & (row->nstacks - 1))) row->stack = xreallocarray(row->stack, row->nstacks ? 2 * row->nstacks : 1, sizeof *row->stack);
		s = &row->stack[row->nstacks++];
		*s = (struct lock_stack){ .depth = depth, .scanned = scanned, .lost_s = lost_s < 0 ? LOCK_UNKNOWN : 0 };
		s->pc = xmalloc(depth * sizeof *pc);
		memcpy(s->pc, pc, depth * sizeof *pc);
	}
	row->stack_samples++;
	s->waits += waits;
	if (lost_s >= 0 && s->lost_s >= 0) s->lost_s += lost_s;
}

void tally_waiter(struct lock_row *row, pid_t tid, const char *name, double waits, double lost_s)
{
	struct lock_waiter *x = NULL;

	for (size_t i = 0; i < row->nwaiters && !x; i++)
		if (row->waiter[i].tid == tid) x = &row->waiter[i];
	if (!x) {
		if (row->nwaiters == WAITERS_MAX) return;
		if (!(row->nwaiters & (row->nwaiters - 1))) row->waiter = xreallocarray(row->waiter, row->nwaiters ? 2 * row->nwaiters : 1, sizeof *row->waiter);
		x = &row->waiter[row->nwaiters++];
		*x = (struct lock_waiter){ .tid = tid, .lost_s = lost_s < 0 ? LOCK_UNKNOWN : 0 };
		snprintf(x->name, sizeof x->name, "%s", name);
	}
	row->waiter_samples++;
	x->waits += waits;
	if (lost_s >= 0 && x->lost_s >= 0) x->lost_s += lost_s;
}

static int by_cost(double lost_a, double waits_a, double lost_b, double waits_b)
{
	if (lost_a != lost_b) return lost_a < lost_b ? 1 : -1;
	return (waits_a < waits_b) - (waits_a > waits_b);
}

static int stack_order(const void *x, const void *y)
{
	const struct lock_stack *a = x, *b = y;
	return by_cost(a->lost_s, a->waits, b->lost_s, b->waits);
}

static int waiter_order(const void *x, const void *y)
{
	const struct lock_waiter *a = x, *b = y;
	int order = by_cost(a->lost_s, a->waits, b->lost_s, b->waits);
	return order ? order : (a->tid > b->tid) - (a->tid < b->tid);
}

void tally_sort(struct lock_row *row)
{
	double waits = 0, lost = 0;

	if (row->nstacks) qsort(row->stack, row->nstacks, sizeof *row->stack, stack_order);
	if (row->nwaiters) qsort(row->waiter, row->nwaiters, sizeof *row->waiter, waiter_order);
	for (size_t i = 0; i < row->nwaiters; i++) {
		waits += row->waiter[i].waits;
		if (row->waiter[i].lost_s > 0) lost += row->waiter[i].lost_s;
	}
	for (size_t i = 0; i < row->nwaiters; i++) {
		struct lock_waiter *x = &row->waiter[i];
		x->share = lost > 0 ? fmax(x->lost_s, 0) / lost : waits > 0 ? x->waits / waits : 0;
	}
}

void tally_free(struct lock_row *row)
{
	for (size_t i = 0; i < row->nstacks; i++) free(row->stack[i].pc);
	free(row->stack);
	free(row->waiter);
	row->stack = NULL;
	row->waiter = NULL;
	row->nstacks = row->nwaiters = 0;
}

void tally_notice(struct lock_report *r, const char *source, enum lock_state state, const char *fmt, ...)
{
	struct lock_notice *n = &r->notice[r->nnotices];
	va_list ap;

	if (r->nnotices == sizeof r->notice / sizeof *r->notice) return;
	r->nnotices++;
	n->source = source;
	n->state = state;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof n->text, fmt, ap);
	va_end(ap);
}

void tally_sample(struct tally_mean *m, double moment, double value)
{
	int i = (int)(moment * TALLY_BATCHES);

	if (i < 0) i = 0;
	if (i >= TALLY_BATCHES) i = TALLY_BATCHES - 1;
	m->sum[i] += value;
	m->n[i]++;
}

struct lock_figure tally_figure(const struct tally_mean *m, const char *source)
{
	double sum = 0, n = 0, square = 0, weights = 0, mean, effective;
	unsigned batches = 0;

	for (unsigned i = 0; i < TALLY_BATCHES; i++) {
		sum += m->sum[i];
		n += m->n[i];
		batches += m->n[i] > 0;
	}
	if (!(n > 0)) return unknown;
	mean = sum / n;
	for (unsigned i = 0; i < TALLY_BATCHES; i++) {
		double share = m->n[i] / n, off = m->n[i] > 0 ? m->sum[i] / m->n[i] - mean : 0;
		square += share * off * off;
		weights += share * share;
	}
	/* never seen in so many samples: not never */
	if (!(square > 0) && !(mean > 0)) return (struct lock_figure){ 0, 1 / n, source };
	effective = 1 / weights;
	return (struct lock_figure){ mean, batches > 1 && effective > 1 ? sqrt(square / (effective - 1)) : LOCK_UNKNOWN, source };
}

int tally_is_wait(uint64_t op)
{
	switch ((int)op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT: case FUTEX_WAIT_BITSET: case FUTEX_LOCK_PI: case FUTEX_LOCK_PI2: case FUTEX_WAIT_REQUEUE_PI: return 1;
	default: return 0;
	}
}

/* glibc, Rust and Go wait for their locks with plain FUTEX_WAIT on a value of 2 (held, with waiters); everything else of theirs uses other
   operations or values. musl's locks bear bit 31 and the holder or the number of threads inside; its semaphores the bare bit. */
enum lock_use tally_use(const struct lock_watch *w, uint64_t op, uint32_t val)
{
	int cmd = (int)op & FUTEX_CMD_MASK;

	if (cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2) return LOCK_USE_LOCK;
	if (cmd != FUTEX_WAIT) return LOCK_USE_EVENT;
	if (w->musl) return val > 0x80000000u ? LOCK_USE_LOCK : LOCK_USE_EVENT;
	return val == 2 ? LOCK_USE_LOCK : LOCK_USE_EVENT;
}

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double tally_share(const struct lock_watch *w, double own)
{
	return w->o->core_share > 0 && w->o->core_share < own ? w->o->core_share : own;
}

double tally_now(void) { return seconds(CLOCK_MONOTONIC); }
double tally_cpu(void) { return seconds(CLOCK_THREAD_CPUTIME_ID); }

void tally_sleep(double s)
{
	struct timespec ts = { (time_t)s, (long)((s - floor(s)) * 1e9) };

	if (s > 0) clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

void tally_hasten(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), -10);
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
}

double tally_random(uint64_t *state)
{
	uint64_t x = *state ? *state : (uint64_t)(tally_now() * 1e9) | 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (double)((x * 0x2545f4914f6cdd1d) >> 11) * 0x1p-53;
}
