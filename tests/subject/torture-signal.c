/* torture-signal: handlers that allocate, interrupting the hooks at random points, thousands of times; some never go back. To be run
 * with torture-alloc preloaded (behind the agent), so that what breaks is not the allocator. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "torture.h"

enum { SIGNALS = 3000 };

static volatile sig_atomic_t seen, in_child;
static volatile pid_t child;
static sigjmp_buf back;

static void every(long us)
{
	struct itimerval t = { { 0, us }, { 0, us } };
	setitimer(ITIMER_REAL, &t, NULL);
}

/* On a stack of so many bytes above a page that may not be touched; 0: on the thread's own. */
static void handle(void (*fn)(int), int flags, size_t stack)
{
	struct sigaction a = { .sa_handler = fn, .sa_flags = flags };
	if (stack) {
		size_t whole = (stack + 4095) & -4096UL;
		char *s = mmap(NULL, whole + 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(s != MAP_FAILED && !mprotect(s + 4096, whole, PROT_READ | PROT_WRITE), "mmap");
		stack_t st = { .ss_sp = s + 4096 + whole - stack, .ss_size = stack };
		CHECK(!sigaltstack(&st, NULL), "sigaltstack: %s", strerror(errno));
		a.sa_flags |= SA_ONSTACK;
	}
	CHECK(!sigaction(SIGALRM, &a, NULL), "sigaction");
}

/* Nested at most so deep: a timer that is faster than its handler would fill any stack, with or without an agent. */
enum { NESTED = 20 };

static void allocates(int sig)
{
	static volatile sig_atomic_t depth;
	int e = errno;
	(void)sig;
	if (depth >= NESTED) return;
	depth++;
	churn(2);
	CHECK(errno == e, "errno changed in a handler");
	seen++;
	depth--;
}

static void until_seen(int n)
{
	while (seen < n) churn(10);
	every(0);
	churn(500);
}

static void plain(void)
{
	handle(allocates, SA_RESTART, 0);
	every(100);
	until_seen(SIGNALS);
}

/* The smallest stack the kernel itself accepts, and what the program's own handler needs on top: 2 KiB for the hooks, 1 KiB. */
static void altstack(void)
{
	size_t least = getauxval(AT_MINSIGSTKSZ);
	handle(allocates, SA_RESTART, (least > 2048 ? least : 2048) + 3072);
	every(100);
	until_seen(SIGNALS);
}

static void nested(void)
{
	handle(allocates, SA_NODEFER | SA_RESTART, 0);
	every(60);
	until_seen(SIGNALS);
}

static void leaves(int sig)
{
	(void)sig;
	seen++;
	if (seen & 1) churn(1);
	siglongjmp(back, 1);
}

static void leave(size_t stack)
{
	handle(leaves, 0, stack);
	sigsetjmp(back, 1);
	struct itimerval t = { { 0, 0 }, { 0, 30 + seen % 97 } };
	if (seen < SIGNALS) {
		setitimer(ITIMER_REAL, &t, NULL);
		for (;;) churn(10);
	}
	churn(500);
}

static void longjmp_out(void) { leave(0); }
static void longjmp_altstack(void) { leave(16384); }

/* Both processes go back to what was interrupted: perhaps the inside of a hook. */
static void forks(int sig)
{
	int e = errno;
	(void)sig;
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) in_child = 1;
	churn(2);
	seen++;
	errno = e;
}

static void fork_in_handler(void)
{
	int s;
	handle(forks, 0, 0);
	for (int i = 0; i < 1000; i++) {
		int before = seen;
		struct itimerval t = { { 0, 0 }, { 0, 30 + i % 97 } };
		setitimer(ITIMER_REAL, &t, NULL);
		while (seen == before) churn(5);
		if (in_child) {
			churn(20);
			_exit(7);
		}
		CHECK(waitpid(child, &s, 0) == child, "waitpid");
		CHECK(WIFEXITED(s) && WEXITSTATUS(s) == 7, "child ended with %#x", s);
	}
}

static void *until_enough(void *arg)
{
	while (__atomic_load_n(&seen, __ATOMIC_RELAXED) < SIGNALS) churn(5);
	return arg;
}

static void allocates_in_thread(int sig)
{
	int e = errno;
	(void)sig;
	churn(1);
	__atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED);
	errno = e;
}

static void threads(void)
{
	pthread_t t[3];
	handle(allocates_in_thread, SA_RESTART, 0);
	for (int i = 0; i < 3; i++) CHECK(!pthread_create(&t[i], NULL, until_enough, NULL), "no thread");
	while (__atomic_load_n(&seen, __ATOMIC_RELAXED) < SIGNALS - 100)
		for (int i = 0; i < 3; i++) pthread_kill(t[i], SIGALRM);
	while (__atomic_load_n(&seen, __ATOMIC_RELAXED) < SIGNALS) raise(SIGALRM);
	for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
}

static void elsewhere(int sig)
{
	(void)sig;
	broke(__FILE__, __LINE__, "no handler runs", "on thread %ld", syscall(SYS_gettid));
}

/* A signal that the program waits for is not handled by a thread that it does not know of. */
static void waited(void)
{
	sigset_t set;
	pthread_t t;
	handle(elsewhere, 0, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	CHECK(!pthread_create(&t, NULL, until_enough, NULL), "no thread");
	usleep(50000);  /* the agent's thread is there by now, if it wants to */
	for (int i = 0; i < 50; i++) {
		int sig = 0;
		kill(getpid(), SIGALRM);
		usleep(2000);   /* whoever else would take it does */
		CHECK(!sigwait(&set, &sig) && sig == SIGALRM, "sigwait");
		churn(2);
	}
	seen = SIGNALS;
	pthread_join(t, NULL);
}

static const struct mode modes[] = {
	{ "plain", plain }, { "altstack", altstack }, { "nested", nested }, { "longjmp", longjmp_out },
	{ "longjmp-altstack", longjmp_altstack }, { "fork", fork_in_handler }, { "threads", threads }, { "waited", waited },
};
TORTURE_MAIN(modes)
