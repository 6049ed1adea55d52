/* stop_x86_64.c: see stop.h. PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent, and a futex call that was interrupted goes on. */
#include "inspect/lock/stop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/lock/runs.h"
#include "inspect/lock/sleeper.h"
#include "inspect/lock/tally.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"

/* Asleep until it stands: on a machine whose processors are all wanted whoever asks again and again keeps it from one, and whoever gives his up
   meanwhile gets it back late. A thread that the kernel keeps from stopping (a page that comes from a slow disk) is waited for: it would stop later, and
   stay so, were it left. Only this thread's own end can let it go. */
static int await_stop(pid_t tid, int *status)
{
	pid_t got;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	do got = waitpid(tid, status, __WALL);
	while (got < 0 && errno == EINTR);
	pthread_setcancelstate(state, NULL);
	return got == tid && WIFSTOPPED(*status) ? 0 : -1;
}

static void copy_registers(struct unwind_sample *s, const struct user_regs_struct *r)
{
	const uint64_t reg[UNWIND_REGS] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip };

	for (unsigned i = 0; i < UNWIND_REGS; i++) s->reg[i] = reg[i];
}

/* It slept at `begin`, was woken, waited for a processor, ran, and stood: what it waited and ran, the kernel has counted. Was it given a processor
   more than once, then it is not known since when it stands. */
static double stood_since(double begin, const struct runs *before, const struct runs *after)
{
	if (after->times != before->times + 1) return begin;
	return begin + ((double)(after->waited_ns - before->waited_ns) + (double)(after->ran_ns - before->ran_ns)) * 1e-9;
}

/* A waiter of a lock that is much wanted sleeps again and again, never for long: until it does, but not for long either. *before, *begin: of a moment at
   which it slept. */
static int sleeps(const struct sleeper *s, int runs, struct runs *before, double *begin)
{
	enum { LOOKS = 50 };
	struct sleeper_call call;
	int got = 0;

	for (unsigned i = 0; i < LOOKS && !got; i++) {
		*begin = tally_now();
		runs_read(runs, before);
		got = sleeper_look(s, &call);
	}
	return got == 1;
}

static int copy(const struct target *t, const struct sleeper *s, int runs, struct stopped *out)
{
	struct user_regs_struct regs;
	struct runs before = { 0 }, after = { 0 };
	int status, bad = -1;
	double begin;

	if (!sleeps(s, runs, &before, &begin)) return -1;
	if (ptrace(PTRACE_SEIZE, s->tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, s->tid, NULL, NULL) || await_stop(s->tid, &status)) return -1;
	if (!ptrace(PTRACE_GETREGS, s->tid, NULL, &regs)) {
		copy_registers(&out->sample, &regs);
		out->call = regs.orig_rax;
		out->sample.stack = out->stack;
		out->sample.n = mem_read_some(t->mem, regs.rsp, out->stack, sizeof out->stack);
		bad = 0;
	}
	runs_read(runs, &after);
	/* a signal that arrived just then is not lost */
	int sig = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	ptrace(PTRACE_DETACH, s->tid, NULL, (void *)(intptr_t)sig);
	out->pause_us = (tally_now() - stood_since(begin, &before, &after)) * 1e6;
	return bad;
}

static void close_runs(void *arg)
{
	const int *fd = arg;

	if (*fd >= 0) close(*fd);
}

int stop_copy(const struct target *t, const struct sleeper *s, struct stopped *out)
{
	int runs = runs_open(s->task, s->tid), bad;

	pthread_cleanup_push(close_runs, &runs);
	bad = copy(t, s, runs, out);
	pthread_cleanup_pop(1);
	return bad;
}
