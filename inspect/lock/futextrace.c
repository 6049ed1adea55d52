/* futextrace.c: the futex tracepoints of every thread of the process: each wait, its duration, its result, and of some the stack. A
 * traced call costs up to a microsecond and a contended musl process makes millions a second, so the trace runs in short windows at
 * random moments whose share is set by what it costs; where there are few calls the windows follow each other without a gap. Between
 * windows nothing is installed in the kernel. Threads that come are taken in with the next window. */
#include "inspect/lock/futextrace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

static const char name[] = "futex-trace";
/* window: as long as a ring holds; slice: of a trace without gaps; a record's price; what tracing may take of a core. */
static const double window_s = 0.005, slice_s = 0.02, record_s = 4e-7, core_share = 0.03, own_share = 0.05;
enum { ROWS = 1024, STACKS_PER_S = 150, STACKS_PER_WINDOW = 32 };

struct tally { uint64_t addr; struct tally_mean waits, lost; double nwaits, neagain, now_waits, now_lost; };

struct trace {
	const struct lock_watch *w;
	struct lock_report *r;
	struct tracer tracer;
	struct tally *tally; size_t ntally;
	double calls;                   /* in this window, scaled */
	uint64_t windows[TALLY_BATCHES], total_windows, lost, left_out;
	double traced_s;
};

static struct tally *tally_of(struct trace *x, uint64_t addr)
{
	for (size_t i = 0; i < x->ntally; i++)
		if (x->tally[i].addr == addr) return &x->tally[i];
	if (x->ntally == ROWS) return NULL;
	x->tally[x->ntally] = (struct tally){ .addr = addr };
	return &x->tally[x->ntally++];
}

/* A wait, or the part of one that lies in the window. `scale`: for what of the thread's window was lost. */
static void waited(void *arg, const struct traced_wait *v)
{
	struct trace *x = arg;
	struct tally *y = tally_of(x, v->addr);
	struct lock_row *row = y ? tally_row(x->w, x->r, v->addr) : NULL;

	if (!row) return;
	if (tally_use(x->w, v->op, v->val) == LOCK_USE_LOCK) row->use = LOCK_USE_LOCK;
	y->now_lost += v->seconds * v->scale;
	if (v->ended) {
		y->now_waits += v->scale;
		y->nwaits++;
		y->neagain += v->eagain;
	}
	tally_waiter(row, v->tid, v->thread, v->ended ? v->scale : 0, v->seconds * v->scale);
	if (!v->depth) return;
	tally_stack(row, v->pc, v->depth, v->scanned, v->ended ? v->scale * v->period : 0, v->seconds * v->scale * v->period);
	row->stack_source = name;
}

static void close_window(struct trace *x, double moment, double length)
{
	int batch = (int)(moment * TALLY_BATCHES);

	for (size_t i = 0; i < x->ntally; i++) {
		struct tally *y = &x->tally[i];
		tally_sample(&y->waits, moment, y->now_waits / length);
		tally_sample(&y->lost, moment, y->now_lost / length);
		y->now_waits = y->now_lost = 0;
	}
	x->windows[batch < TALLY_BATCHES ? batch : TALLY_BATCHES - 1]++;
	x->total_windows++;
	x->traced_s += length;
}

static struct lock_figure share(double part, double n)
{
	double p = n > 0 ? part / n : 0;

	return n > 0 ? (struct lock_figure){ p, sqrt(p * (1 - p) / n), name } : (struct lock_figure){ LOCK_UNKNOWN, LOCK_UNKNOWN, NULL };
}

static void report(struct trace *x)
{
	for (size_t i = 0; i < x->ntally; i++) {
		struct tally *y = &x->tally[i];
		struct lock_row *row = tally_row(x->w, x->r, y->addr);
		if (!row) continue;
		for (unsigned b = 0; b < TALLY_BATCHES; b++) y->waits.n[b] = y->lost.n[b] = (double)x->windows[b];
		row->waits_per_s = tally_figure(&y->waits, name);
		row->eagain = share(y->neagain, y->nwaits);
		/* musl's waiters are runnable between their calls: the time inside the calls is not the time lost */
		if (!(*row->allocator && row->kind == HEAP_LOCK_MUSL)) row->lost_s_per_s = tally_figure(&y->lost, name);
	}
	tally_notice(x->r, name, x->lost || x->left_out ? LOCK_LIMITED : LOCK_USED, "%llu windows, %.2f s in all", (unsigned long long)x->total_windows, x->traced_s);
	struct lock_notice *n = &x->r->notice[x->r->nnotices - 1];
	size_t len = strlen(n->text);
	if (x->lost) len += (size_t)snprintf(n->text + len, sizeof n->text - len, "; the kernel lost %llu records, scaled for", (unsigned long long)x->lost);
	if (x->left_out && len < sizeof n->text) snprintf(n->text + len, sizeof n->text - len, "; %llu threads left out: too many descriptors", (unsigned long long)x->left_out);
}

/* How long to pause after a window, by what it cost us and the target: that pays for as long as the events are installed, and it
   takes the kernel several times a window's length to remove them. */
static double gap(const struct trace *x, double length, double installed, double cpu)
{
	double price = x->calls / length * installed * record_s / tally_share(x->w, core_share), own = cpu / tally_share(x->w, own_share), most = price > own ? price : own;

	return most > 1.5 * installed ? most - installed : 0;
}

static unsigned stack_period(const struct trace *x, double every)
{
	double wanted = every * STACKS_PER_S, p = x->tracer.waits / (wanted < STACKS_PER_WINDOW ? wanted : STACKS_PER_WINDOW);

	return p < 1 ? 1 : p > 1e6 ? 1000000 : (unsigned)p;
}

static int run(struct trace *x, struct err *e)
{
	double begin = tally_now(), until = begin + x->w->o->period_s, now = begin, pause = 1;
	uint64_t seed = 0;
	unsigned period = 16;

	while (now < until && !__atomic_load_n(x->w->stop, __ATOMIC_RELAXED)) {
		double cpu = tally_cpu(), from = now, opened = now, length;
		int off = pause > 0;
		x->calls = 0;
		if (tracer_open(&x->tracer, period, e)) return x->total_windows && e->kind == ERR_GONE ? 0 : -1;
		tally_sleep(off ? window_s : slice_s);
		length = tracer_take(&x->tracer, off, waited, x);
		if (off) from = tally_now() - length;
		if (!(length > 0)) return x->total_windows ? 0 : err_set(e, ERR_GONE, "no thread could be traced");
		x->calls = x->tracer.calls;
		x->lost += x->tracer.lost;
		x->left_out = x->tracer.left_out;
		close_window(x, (from - begin) / x->w->o->period_s, length);
		pause = gap(x, length, length, tally_cpu() - cpu);
		/* events that are off are of no use to a window that follows at once */
		if (pause > 0 || off) tracer_close(&x->tracer);
		if (pause > 0) pause = gap(x, length, tally_now() - opened, tally_cpu() - cpu);
		period = stack_period(x, length + pause);
		now = tally_now();
		if (pause > until - now) pause = until - now > 0 ? until - now : 0.001;
		for (double end = now + pause * 2 * tally_random(&seed); pause > 0 && now < end && !__atomic_load_n(x->w->stop, __ATOMIC_RELAXED); now = tally_now())
			tally_sleep(end - now < 0.05 ? end - now : 0.05);
	}
	x->r->period_s = now - begin;
	if (!x->total_windows) return err_set(e, ERR_GONE, "pid %d: it exited before it could be traced", (int)x->w->t->pid);
	return 0;
}

static int measure(const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	struct trace x = { .w = w, .r = r };
	int bad;

	if (tracer_init(&x.tracer, w, e)) return -1;
	tally_hasten();
	x.tally = xcalloc(ROWS, sizeof *x.tally);
	bad = run(&x, e);
	tracer_close(&x.tracer);
	if (!bad) report(&x);
	free(x.tally);
	return bad;
}

const struct lock_source lock_futextrace = { name, "tracefs mounted, and root or CAP_PERFMON", measure };
