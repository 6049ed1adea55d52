/* stop_x86_64.c: see stop.h. PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent, and a futex call that was interrupted goes on. */
#include "inspect/lock/stop.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "inspect/lock/tally.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"

static const double patience_s = 0.5;
/* For so long it is asked without sleeping in between: to fall asleep and to be woken takes longer than most stops, and counts as a stop. */
static const double eager_s = 2e-4;

/* A thread that the kernel keeps from stopping (a page that comes from a slow disk) is waited for: it would stop later, and stay so, were it
   left. At the end of the period only this thread's own end can let it go. *since: a moment at which it was not stopped yet. */
static int await_stop(pid_t tid, const int *stop, int *status, double *since)
{
	double until = 0, begin = *since, now;

	for (;; now - begin < eager_s ? (void)sched_yield() : tally_sleep(5e-6)) {
		now = tally_now();
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);
		if (got == tid) return WIFSTOPPED(*status) ? 0 : -1;
		if (got < 0 && errno != EINTR) return -1;
		*since = now;
		if (!until && __atomic_load_n(stop, __ATOMIC_RELAXED)) until = now + patience_s;
		if (until && now > until) return -1;
	}
}

static void copy_registers(struct unwind_sample *s, const struct user_regs_struct *r)
{
	const uint64_t reg[UNWIND_REGS] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip };

	for (unsigned i = 0; i < UNWIND_REGS; i++) s->reg[i] = reg[i];
}

int stop_copy(const struct target *t, pid_t tid, const int *stop, struct stopped *out)
{
	struct user_regs_struct regs;
	int status, bad = -1;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL)) return -1;
	double begin = tally_now();
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) || await_stop(tid, stop, &status, &begin)) return -1;
	if (!ptrace(PTRACE_GETREGS, tid, NULL, &regs)) {
		copy_registers(&out->sample, &regs);
		out->call = regs.orig_rax;
		out->sample.stack = out->stack;
		out->sample.n = mem_read_some(t->mem, regs.rsp, out->stack, sizeof out->stack);
		bad = 0;
	}
	/* a signal that arrived just then is not lost */
	int sig = status >> 16 == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)sig);
	out->pause_us = (tally_now() - begin) * 1e6;
	return bad;
}
