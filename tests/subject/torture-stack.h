/* torture-stack.h: how deep does each hooked function go? Calls it on a thread whose stack was painted before, cold (a thread
 * that was never seen, code that was never walked), then again, and prints the bytes below the call that were touched. The test takes
 * the difference between a run with the agent and one without. TORTURE_TIMED: the agent is asked to time calls. */
#ifndef TESTS_SUBJECT_TORTURE_STACK_H
#define TESTS_SUBJECT_TORTURE_STACK_H

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "torture-ledger.h"

enum { STACK = 1 << 20, PAINT = 0xa5 };

struct function { const char *name; void (*call)(void); };

static void *block;             /* made anew for each */
static void (*call)(void);
static unsigned char *low;
static int thread_known;        /* it has allocated before; one that has not is told nothing of where it frees */

/* Paints everything that lies free below, calls, and looks how far down something was written. */
static __attribute__((noinline)) size_t touched(void)
{
	unsigned char *end;
	__asm__ volatile("mov %%rsp, %0" : "=r"(end));  /* we call: nothing of ours is below it */
	for (unsigned char *at = low; at < end; at++) *(volatile unsigned char *)at = PAINT;
	call();
	unsigned char *at = low;
	while (at < end && *(volatile unsigned char *)at == PAINT) at++;
	return (size_t)(end - at);
}

static void *measure(void *arg)
{
	if (thread_known) free(keep(malloc(10)));
	*(size_t *)arg = touched();
	return NULL;
}

static size_t on_thread(void (*fn)(void), unsigned char *stack)
{
	pthread_attr_t a;
	pthread_t t;
	size_t depth = 0;
	call = fn;
	low = stack + 4096;
	pthread_attr_init(&a);
	CHECK(!pthread_attr_setstack(&a, stack, STACK) && !pthread_create(&t, &a, measure, &depth) && !pthread_join(t, NULL), "thread");
	return depth;
}

static void nothing(void) { }

static void measure_all(const char *when, const struct function *functions, size_t n)
{
	unsigned char *stack = (unsigned char *)mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(stack != MAP_FAILED, "mmap");
	if (getenv("TORTURE_TIMED")) ((struct wire_header *)(uintptr_t)ledger_segment())->control.timing = 1;
	on_thread(nothing, stack);
	for (size_t i = 0; i < n; i++) {
		block = malloc(100);
		printf("%s %s: %zu\n", when, functions[i].name, on_thread(functions[i].call, stack));
	}
	fflush(stdout);
}

static void measure_thrice(const struct function *functions, size_t n)
{
	measure_all("first", functions, n);
	measure_all("second", functions, n);
	measure_all("third", functions, n);
}

/* The first call in a forked child gives it a segment of its own, in the place of the old one. */
static void measure_child(const struct function *functions, size_t n)
{
	int s;
	if (getenv("TORTURE_TIMED")) ledger_segment();
	pid_t pid = fork();
	if (!pid) {
		measure_all("child", functions, n);
		_exit(7);
	}
	CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "child ended with %#x", s);
}

#endif
