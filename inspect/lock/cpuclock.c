/* cpuclock.c: stacks of threads that spend their time in futex calls instead of sleeping there, which is how musl's waiters wait: the
 * kernel's processor clock samples every thread with its registers, and a sample whose registers are those of a futex call that waits on
 * an allocator's lock is one. Stops nobody. Tells where from; and what a lock costs beside the waiting for it: calls that wake others, and
 * spinning around the calls. Those are processor time; the kernel says for how long its threads wait for a processor meanwhile. */
#include "inspect/lock/tally.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "inspect/perf/perf.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

static const char name[] = "cpu-clock";
static const double enough = 0.7;       /* of the processor time: with less, what was not seen may be otherwise */

/* Odd, so that nothing is in step with it. A ring holds what one thread gathers until the next look. */
enum { HZ = 149, RING_PAGES = 64, RING_TOTAL = 16384, RESERVED = 64 };

/* busy, delayed: the kernel's account of it, in nanoseconds, when it was taken in. */
struct clocked { pid_t tid; int fd, alive; char name[16]; struct perf_ring ring; uint64_t busy, delayed; };

/* Samples by what a thread did about one lock: in a call that waits, in one that wakes, or within REACH of the instructions that call. */
enum { PLACES = 8, REACH = 192 };
struct spent { uint64_t wait, wake, spin; uint64_t place[PLACES]; unsigned nplaces; };

struct clock {
	const struct lock_watch *w;
	struct lock_report *r;
	struct clocked *thread, *now; size_t n;
	size_t descriptors, left_out;
	uint64_t samples, inside, lost;
	struct spent *spent;            /* by known lock */
	double begin, cpu;              /* when it began, and what this thread had used by then */
	uint64_t busy, delayed;         /* of all threads, while they were watched */
	double coverage;                /* share of the process's processor time that was sampled */
};

static unsigned flags_of(void *arg, uint64_t id)
{
	(void)arg, (void)id;
	return PERF_STACKS;
}

static size_t find_known(const struct lock_watch *w, uint64_t addr)
{
	size_t i = 0;

	while (i < w->nknown && w->known[i].lock.addr != addr) i++;
	return i;
}

/* The processor keeps a system call's return address in rcx; the instruction in front of it is the call. */
static int in_call(const struct lock_watch *w, const struct unwind_sample *u)
{
	uint8_t b[2];

	return u->reg[UNWIND_RETURN] == u->reg[UNWIND_PC] && mem_read_some(w->t->mem, u->reg[UNWIND_PC] - 2, b, 2) == 2 && b[0] == 0x0f && b[1] == 0x05;
}

/* Where a lock's calls are made is learnt from the calls: in musl that is in the middle of the functions that take it and give it back. */
static void learn(struct spent *x, uint64_t pc)
{
	for (unsigned i = 0; i < x->nplaces; i++)
		if (x->place[i] == pc) return;
	if (x->nplaces < PLACES) x->place[x->nplaces++] = pc;
}

static int is_near(const struct spent *x, uint64_t pc)
{
	for (unsigned i = 0; i < x->nplaces; i++)
		if (pc - x->place[i] + REACH < 2 * REACH) return 1;
	return 0;
}

/* Stacks are what is dear: those beyond what this may take are counted, and not worked out. */
static int affordable(const struct clock *c)
{
	return !(c->w->o->core_share > 0) || tally_cpu() - c->cpu <= c->w->o->core_share * (tally_now() - c->begin);
}

static void on_sample(void *arg, const struct perf_sample *s)
{
	struct clock *c = arg;
	uint64_t pc[LOCK_DEPTH_MAX];
	struct lock_row *row;

	c->samples++;
	if (!s->has_regs) return;
	size_t which = find_known(c->w, s->user.reg[UNWIND_ARG0]);
	if (which == c->w->nknown) return;
	struct spent *x = &c->spent[which];
	if (!in_call(c->w, &s->user)) {
		x->spin += (uint64_t)is_near(x, s->user.reg[UNWIND_PC]);
		return;
	}
	learn(x, s->user.reg[UNWIND_PC]);
	if (!tally_is_wait(s->user.reg[UNWIND_ARG1])) {
		x->wake++;
		return;
	}
	x->wait++;
	if (!(row = tally_row(c->w, c->r, s->user.reg[UNWIND_ARG0]))) return;
	c->inside++;
	tally_waiter(row, c->now->tid, c->now->name, 1, LOCK_UNKNOWN);
	if (!affordable(c)) return;
	struct unwound u = unwind_stack(c->w->unwinder, &s->user, pc, LOCK_DEPTH_MAX);
	tally_stack(row, pc, u.n, u.scanned, 1, LOCK_UNKNOWN);
	row->stack_source = name;
}

static void on_lost(void *arg, uint64_t n)
{
	struct clock *c = arg;

	c->lost += n;
}

/* Processor time of the whole process, ended threads included; below zero: not to be had. */
static double cpu_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts)) return -1;
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* schedstat: nanoseconds on a processor, and waiting for one. Asked when a thread is taken in and at the end: those that are gone by then do not count. */
static void account(struct clock *c, struct clocked *t)
{
	unsigned long long busy, delayed;
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)c->w->t->pid, (int)t->tid);
	FILE *f = fopen(path, "re");
	int got = f ? fscanf(f, "%llu %llu", &busy, &delayed) : 0;
	if (f) fclose(f);
	if (got != 2) return;
	if (t->busy && busy >= t->busy && delayed >= t->delayed) {
		c->busy += busy - t->busy;
		c->delayed += delayed - t->delayed;
	}
	t->busy = busy ? busy : 1;
	t->delayed = delayed;
}

static void close_thread(struct clocked *t)
{
	if (t->fd >= 0) close(t->fd);
	perf_unmap(&t->ring);
}

static int add(struct clock *c, pid_t tid, struct err *e)
{
	struct perf_event_attr a;
	size_t pages = RING_PAGES;

	if (c->n + RESERVED > c->descriptors) {
		c->left_out++;
		return 0;
	}
	while (pages > 4 && pages * c->w->t->nthreads > RING_TOTAL) pages /= 2;
	perf_attr(&a, PERF_STACKS);
	a.type = PERF_TYPE_SOFTWARE;
	a.config = PERF_COUNT_SW_CPU_CLOCK;
	a.freq = 1;
	a.sample_freq = HZ;
	a.disabled = 0;
	struct clocked t = { .tid = tid, .alive = 1, .fd = perf_open(&a, tid) };
	if (t.fd >= 0 && !perf_map(&t.ring, t.fd, pages)) {
		proc_thread_name(c->w->t->pid, tid, t.name);
		account(c, &t);
		if (!(c->n & (c->n - 1))) c->thread = xreallocarray(c->thread, c->n ? 2 * c->n : 1, sizeof *c->thread);
		c->thread[c->n++] = t;
		return 0;
	}
	int sys = errno;
	close_thread(&t);
	if (sys == ESRCH) return 0;
	if (c->n) {
		c->left_out++;
		return 0;
	}
	return perf_error(e, sys, "sampling by the processor clock");
}

/* Threads that have come are taken in, those that are gone let go. */
static int list(struct clock *c, struct err *e)
{
	char path[64];
	size_t had = c->n;
	int bad = 0;

	snprintf(path, sizeof path, "/proc/%d/task", (int)c->w->t->pid);
	DIR *d = opendir(path);
	if (!d) return err_sys(e, errno, "pid %d: listing its threads", (int)c->w->t->pid);
	for (size_t i = 0; i < had; i++) c->thread[i].alive = 0;
	c->left_out = 0;
	for (struct dirent *de; !bad && (de = readdir(d));) {
		pid_t tid = (pid_t)strtol(de->d_name, NULL, 10);
		size_t i;
		if (tid <= 0) continue;
		for (i = 0; i < had && c->thread[i].tid != tid; i++);
		if (i < had) c->thread[i].alive = 1;
		else bad = add(c, tid, e);
	}
	closedir(d);
	for (size_t i = 0; i < c->n;) {
		if (c->thread[i].alive) i++;
		else {
			close_thread(&c->thread[i]);
			c->thread[i] = c->thread[--c->n];
		}
	}
	return bad;
}

/* n samples of one in `each` processor-seconds, so many thread-seconds for each processor-second; never seen: less than one sample. */
static struct lock_figure figure(uint64_t n, double each, double times)
{
	return (struct lock_figure){ (double)n * each * times, sqrt(n ? (double)n : 1) * each * times, name };
}

static void report(struct clock *c)
{
	double each = c->r->period_s > 0 ? 1 / (HZ * c->r->period_s) : 0;

	c->r->delay_factor = c->busy ? 1 + (double)c->delayed / (double)c->busy : 1;
	for (size_t i = 0; i < c->w->nknown && !c->left_out && each > 0 && c->coverage >= enough; i++) {
		struct lock_row *row = tally_row(c->w, c->r, c->w->known[i].lock.addr);
		const struct spent *x = &c->spent[i];
		if (!row) continue;
		row->cpu_s_per_s = figure(x->wait + x->wake, each, 1);
		row->wake_s_per_s = figure(x->wake, each, c->r->delay_factor);
		row->spin_s_per_s = figure(x->spin, each, c->r->delay_factor);
	}
}

static int run(struct clock *c, struct err *e)
{
	const struct perf_reader reader = { .sample = on_sample, .lost = on_lost, .arg = c };
	double begin = tally_now(), until = begin + c->w->o->period_s, listed = 0, now, cpu = -1;

	for (; (now = tally_now()) < until && !__atomic_load_n(c->w->stop, __ATOMIC_RELAXED); tally_sleep(until - now < 0.05 ? until - now : 0.05)) {
		if (now - listed > 0.5) {
			if (list(c, e)) return listed > 0 ? 0 : -1;
			if (!(listed > 0)) cpu = cpu_of(c->w->t->pid);
			listed = now;
		}
		for (size_t i = 0; i < c->n; i++) {
			c->now = &c->thread[i];
			perf_drain(&c->now->ring, flags_of, &reader);
		}
	}
	c->r->period_s = now - begin;
	cpu = cpu < 0 ? -1 : cpu_of(c->w->t->pid) - cpu;
	/* less than one sample more or less says nothing */
	c->coverage = cpu * HZ > 4 * sqrt((double)c->samples) + 4 ? (double)(c->samples + c->lost) / (cpu * HZ) : 1;
	for (size_t i = 0; i < c->n; i++) account(c, &c->thread[i]);
	return 0;
}

static int measure(const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	struct clock c = { .w = w, .r = r, .descriptors = perf_descriptors() / 4, .begin = tally_now(), .cpu = tally_cpu() };
	int bad;

	if (!w->nknown) return err_set(e, ERR_UNSUPPORTED, "no lock of an allocator was found");
	c.spent = xcalloc(w->nknown, sizeof *c.spent);
	bad = run(&c, e);
	if (!bad) report(&c);
	free(c.spent);
	for (size_t i = 0; i < c.n; i++) close_thread(&c.thread[i]);
	free(c.thread);
	if (bad) return -1;
	tally_notice(r, name, c.lost || c.left_out || c.coverage < enough ? LOCK_LIMITED : LOCK_USED, "%llu samples, %llu of them waiting%s%s%s", (unsigned long long)c.samples,
	             (unsigned long long)c.inside, c.lost ? "; the kernel lost some" : "", c.left_out ? "; some threads left out" : "",
	             c.coverage < enough ? "; most threads ended before they were looked at" : "");
	return 0;
}

const struct lock_source lock_cpuclock = { name, "root or CAP_PERFMON (perf_event_open)", measure };
