/* procsyscall.c: where each thread is, from /proc/PID/task/TID/syscall, at random moments: who sleeps on which futex, and from where. A
 * sleeper's stack is copied while it sleeps; it is stopped only for registers that the way out of it needs. The pause is measured;
 * --no-stop forbids it. A thread that waits but can run (musl's nearly always) is not seen here. */
#include "inspect/lock/tally.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/lock/sleeper.h"
#include "inspect/lock/stopper.h"
#include "inspect/perf/unwind.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { THREADS_MAX = 65536, FILES_MAX = 4096, ROWS = 1024, STACKS_PER_S = 40, PAUSES_MAX = 1 << 16 };
static const double core_share = 0.02, list_every_s = 0.25, fastest_s = 0.005;

static const char name[] = "proc-syscall";

struct seen { uint64_t addr, last; struct tally_mean waiting; unsigned now; };

struct scan {
	const struct lock_watch *w;
	struct lock_report *r;
	struct sleeper *thread; size_t nthreads;
	int dir;                        /* /proc/PID/task */
	struct seen *seen; size_t nseen;
	double *pause; size_t npauses;
	double allowed;                 /* stacks */
	uint64_t reads, refused, stacks, stopped;
	uint64_t seed;
	struct stopper *stopper;        /* NULL: --no-stop */
	struct sleeper_stack copy;
	int denied;                     /* errno of the first refusal */
};

static void forget(struct scan *s)
{
	for (size_t i = 0; i < s->nthreads; i++)
		if (s->thread[i].fd >= 0) close(s->thread[i].fd);
	s->nthreads = 0;
}

/* Threads come and go: those that are still there keep their descriptors. Both lists ascend. */
static int list(struct scan *s)
{
	struct sleeper *old = s->thread;
	size_t nold = s->nthreads, k = 0, n = 0, cap = 0;
	int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0) close(fd);
	if (!d) return -1;
	s->thread = NULL;
	for (struct dirent *de; (de = readdir(d)) && n < THREADS_MAX;) {
		pid_t tid = (pid_t)strtol(de->d_name, NULL, 10);
		char path[64];
		if (tid <= 0) continue;
		if (n == cap) s->thread = xreallocarray(s->thread, cap = cap ? cap * 2 : 64, sizeof *s->thread);
		for (; k < nold && old[k].tid < tid; k++)
			if (old[k].fd >= 0) close(old[k].fd);
		s->thread[n] = (struct sleeper){ s->dir, tid, -1 };
		if (k < nold && old[k].tid == tid) s->thread[n].fd = old[k++].fd;
		if (s->thread[n].fd < 0 && n < FILES_MAX) {
			snprintf(path, sizeof path, "%d/syscall", (int)tid);
			s->thread[n].fd = openat(s->dir, path, O_RDONLY | O_CLOEXEC);
			if (s->thread[n].fd < 0 && (errno == EACCES || errno == EPERM)) s->denied = errno;
		}
		n++;
	}
	for (; k < nold; k++)
		if (old[k].fd >= 0) close(old[k].fd);
	closedir(d);
	free(old);
	s->nthreads = n;
	return n ? 0 : -1;
}

/* 1: asleep in a futex call that waits. */
static int look(struct scan *s, const struct sleeper *th, struct sleeper_call *at)
{
	int got = sleeper_look(th, at);

	s->reads++;
	if (got < 0) {
		s->denied = errno;
		s->refused++;
	}
	return got > 0 && at->number == SYS_futex && tally_is_wait(at->arg[1]);
}

static struct seen *seen_of(struct scan *s, uint64_t addr)
{
	for (size_t i = 0; i < s->nseen; i++)
		if (s->seen[i].addr == addr) return &s->seen[i];
	if (s->nseen == ROWS) return NULL;
	s->seen[s->nseen] = (struct seen){ .addr = addr };
	return &s->seen[s->nseen++];
}

/* A lock's waiters always, others now and then: an idle thread's stack is taken once or twice, not forty times a second. */
static int worth_a_stack(const struct scan *s, const struct lock_row *row)
{
	return s->allowed >= 1 && (row->use == LOCK_USE_LOCK || row->nstacks < 2);
}

static void keep(struct scan *s, struct lock_row *row, const uint64_t *pc, const struct unwound *u)
{
	tally_stack(row, pc, u->n, u->scanned, 1, LOCK_UNKNOWN);
	row->stack_source = name;
	s->stacks++;
}

/* While it sleeps there. 1: it must be stopped for it, as the kernel does not tell whether it runs, or as a register is wanted and scanning did not lead
   to the thread's beginning, which from a wrong place nothing does. Where it must not be stopped a piece is better than nothing. */
static int needs_stop(struct scan *s, const struct sleeper *th, const struct sleeper_call *at, struct lock_row *row)
{
	uint64_t pc[LOCK_DEPTH_MAX];
	enum sleeper_copied got = sleeper_copy(s->w->t, th, at, &s->copy);

	if (got != SLEEPER_COPIED) return got == SLEEPER_UNKNOWN;
	struct unwound u = unwind_stack(s->w->unwinder, &s->copy.sample, pc, LOCK_DEPTH_MAX);
	if (s->stopper && u.wants && !u.whole) return 1;
	keep(s, row, pc, &u);
	s->allowed--;
	return 0;
}

static void take_stack(struct scan *s, const struct sleeper *th, const struct sleeper_call *at, struct lock_row *row)
{
	if (needs_stop(s, th, at, row) && s->stopper && !stopper_ask(s->stopper, th, at->arg[0])) s->allowed--;
}

/* The stack of a thread that was stopped, unless it had gone on by then. */
static void take_answer(struct scan *s)
{
	const struct stopped *x;
	uint64_t addr, pc[LOCK_DEPTH_MAX];
	struct lock_row *row;

	if (!s->stopper || !stopper_answer(s->stopper, &x, &addr) || !x) return;
	if (s->npauses < PAUSES_MAX) s->pause[s->npauses++] = x->pause_us;
	if (x->call != SYS_futex || x->sample.reg[UNWIND_ARG0] != addr || !(row = tally_row(s->w, s->r, addr))) return;
	struct unwound u = unwind_stack(s->w->unwinder, &x->sample, pc, LOCK_DEPTH_MAX);
	keep(s, row, pc, &u);
	s->stopped++;
}

/* One round over all threads, beginning anywhere. */
static void round_of(struct scan *s, double moment)
{
	size_t first = (size_t)(tally_random(&s->seed) * (double)s->nthreads);
	struct sleeper_call at;

	for (size_t i = 0; i < s->nthreads; i++) {
		const struct sleeper *th = &s->thread[(first + i) % s->nthreads];
		struct lock_row *row;
		struct seen *seen;
		char thread_name[16];
		if (!look(s, th, &at) || !(row = tally_row(s->w, s->r, at.arg[0])) || !(seen = seen_of(s, at.arg[0]))) continue;
		if (tally_use(s->w, at.arg[1], (uint32_t)at.arg[2]) == LOCK_USE_LOCK) row->use = LOCK_USE_LOCK;
		seen->now++;
		proc_thread_name(s->w->t->pid, th->tid, thread_name);
		tally_waiter(row, th->tid, thread_name, 1, LOCK_UNKNOWN);
		if (worth_a_stack(s, row)) take_stack(s, th, &at, row);
	}
	for (size_t i = 0; i < s->nseen; i++) {
		tally_sample(&s->seen[i].waiting, moment, s->seen[i].now);
		s->seen[i].now = 0;
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(struct scan *s, const uint64_t *rounds)
{
	struct lock_report *r = s->r;

	for (size_t i = 0; i < s->nseen; i++) {
		struct lock_row *row = tally_row(s->w, r, s->seen[i].addr);
		/* rounds before it was first seen held no waiter: counted as zeros */
		for (unsigned b = 0; b < TALLY_BATCHES; b++) s->seen[i].waiting.n[b] = (double)rounds[b];
		/* musl's waiters are runnable: sleepers tell nothing of how many there are */
		if (row && !(*row->allocator && row->kind == HEAP_LOCK_MUSL)) row->lost_s_per_s = tally_figure(&s->seen[i].waiting, name);
	}
	if (!s->npauses) return;
	qsort(s->pause, s->npauses, sizeof *s->pause, by_value);
	r->pauses = (unsigned)s->npauses;
	r->pause_median_us = s->pause[s->npauses / 2];
	r->pause_max_us = s->pause[s->npauses - 1];
}

static int run(struct scan *s, struct err *e)
{
	double begin = tally_now(), now = begin, listed = begin, cpu = tally_cpu(), interval = fastest_s, last = begin, share = tally_share(s->w, core_share);
	uint64_t rounds[TALLY_BATCHES] = { 0 }, n = 0;
	double least = s->w->o->rate_hz > 0 && 1 / s->w->o->rate_hz > fastest_s ? 1 / s->w->o->rate_hz : fastest_s;

	for (; now < begin + s->w->o->period_s && !__atomic_load_n(s->w->stop, __ATOMIC_RELAXED); now = tally_now()) {
		double moment = (now - begin) / s->w->o->period_s;
		int batch = (int)(moment * TALLY_BATCHES);
		if (now - listed >= list_every_s || !n) {
			listed = now;
			if (list(s)) break;
		}
		s->allowed = s->allowed + (now - last) * STACKS_PER_S < STACKS_PER_S / 4 ? s->allowed + (now - last) * STACKS_PER_S : STACKS_PER_S / 4;
		last = now;
		take_answer(s);
		round_of(s, moment);
		if (s->refused && s->refused == s->reads) break;
		rounds[batch < TALLY_BATCHES ? batch : TALLY_BATCHES - 1]++;
		n++;
		double each = (tally_cpu() - cpu) / (double)n;
		interval = each / share > least ? each / share : least;
		tally_sleep(interval * (0.5 + tally_random(&s->seed)));
	}
	if (!n || (s->denied && s->refused == s->reads))
		return err_sys(e, s->denied ? s->denied : ESRCH, "pid %d: reading where its threads wait", (int)s->w->t->pid);
	s->r->period_s = now - begin;
	report(s, rounds);
	tally_notice(s->r, name, LOCK_USED, "%llu rounds over the threads; %llu stacks, %llu of them of a stopped thread", (unsigned long long)n,
	             (unsigned long long)s->stacks, (unsigned long long)s->stopped);
	return 0;
}

static int measure(const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	struct scan s = { .w = w, .r = r, .allowed = 1 };
	char path[64];
	int bad;

	snprintf(path, sizeof path, "/proc/%d/task", (int)w->t->pid);
	s.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s.dir < 0) return err_sys(e, errno, "pid %d: listing its threads", (int)w->t->pid);
	s.seen = xcalloc(ROWS, sizeof *s.seen);
	s.pause = xcalloc(PAUSES_MAX, sizeof *s.pause);
	tally_hasten();
	if (!w->o->no_stop) s.stopper = stopper_open(w->t);
	bad = run(&s, e);
	stopper_close(s.stopper);
	forget(&s);
	free(s.thread);
	free(s.seen);
	free(s.pause);
	close(s.dir);
	return bad;
}

const struct lock_source lock_procsyscall = { name, "the process's own user or root (/proc/PID/task/TID/syscall, ptrace)", measure };
