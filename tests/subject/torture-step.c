/* torture-step: the hooks interrupted after each single instruction (the processor's trap flag raises SIGTRAP), by handlers that
 * allocate, never come back, or fork. As torture-signal to be run with torture-alloc preloaded behind the agent. */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include "torture.h"

enum { TRAP_FLAG = 0x100 };

static volatile unsigned steps, target;
static volatile int in_child;
static sigjmp_buf back;

#define STEP(on) __asm__ volatile( \
	"lea -128(%%rsp), %%rsp\n\tpushfq\n\t" on "\n\tpopfq\n\tlea 128(%%rsp), %%rsp" : : : "memory", "cc")
#define STEPS_BEGIN() STEP("orq $0x100, (%%rsp)")
#define STEPS_END() STEP("andq $~0x100, (%%rsp)")

/* Everything that is hooked and may be entered again; each block is used. */
static void operations(void)
{
	char *a = keep(malloc(100)), *b = keep(calloc(2, 50)), *c = keep(aligned_alloc(64, 128));
	a[99] = b[99] = c[127] = 1;
	a = keep(realloc(a, 300));
	a[299] = 1;
	free(b);
	free(c);
	free(a);
}

static void trap(void (*fn)(int, siginfo_t *, void *))
{
	struct sigaction s = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO };
	CHECK(!sigaction(SIGTRAP, &s, NULL), "sigaction");
	churn(10);      /* what is done only once is done */
	operations();
}

static void allocates(int sig, siginfo_t *i, void *context)
{
	int e = errno;
	(void)sig, (void)i, (void)context;
	steps++;
	operations();
	errno = e;
}

static void allocate(void)
{
	trap(allocates);
	for (int i = 0; i < 2; i++) {
		steps = 0;
		STEPS_BEGIN();
		operations();
		STEPS_END();
		CHECK(steps > 50, "%u steps", steps);
		churn(20);
	}
}

static void leaves(int sig, siginfo_t *i, void *context)
{
	(void)sig, (void)i, (void)context;
	if (++steps == target) siglongjmp(back, 1);
}

/* The trap flag is gone after the jump: the handler ran without it. */
static void leave(void)
{
	trap(leaves);
	for (target = 1; ; target += 1 + target / 12) {
		steps = 0;
		if (sigsetjmp(back, 1)) {
			operations();
			continue;
		}
		STEPS_BEGIN();
		operations();
		STEPS_END();
		if (steps < target) break;
	}
	CHECK(target > 50, "%u steps", target);
	churn(500);
}

static void forks(int sig, siginfo_t *i, void *context)
{
	ucontext_t *u = context;
	(void)sig, (void)i;
	if (in_child || ++steps % 11) return;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		in_child = 1;
		u->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		operations();
		return;
	}
	int s;
	CHECK(waitpid(pid, &s, 0) == pid, "waitpid");
	CHECK(WIFEXITED(s) && WEXITSTATUS(s) == 7, "child of step %u ended with %#x", steps, s);
}

static void fork_each(void)
{
	trap(forks);
	STEPS_BEGIN();
	operations();
	STEPS_END();
	if (in_child) {
		churn(20);
		_exit(7);
	}
	CHECK(steps > 50, "%u steps", steps);
}

static const struct mode modes[] = { { "allocate", allocate }, { "leave", leave }, { "fork", fork_each } };
TORTURE_MAIN(modes)
