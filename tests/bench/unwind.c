/* unwind: what one stack costs, the agent's unwinder beside libunwind's unw_backtrace, on the same stacks in turns.
 * usage: unwind [depth [iterations]]. Functions of several shapes, no frame pointers. Prints the best of several rounds. */
/* LINK: agent/modules.c agent/scan.c agent/ehframe.c agent/cfi.c agent/cfi_expression.c agent/cursor.c agent/unwind.c agent/unwind_x86_64.c */
/* CFLAGS: -fomit-frame-pointer */
/* LDLIBS: -lunwind */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include "agent/modules.h"
#include "agent/unwind.h"

#define NOINLINE __attribute__((noinline, noclone))
#define KEEP __asm__ volatile("" ::: "memory")

enum { ROUNDS = 15, MAX = 128 };

static long iterations = 20000;
static struct unwind_bounds bounds;

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static NOINLINE unsigned ours(void)
{
	uint64_t pc[MAX];
	unsigned cut, n = unwind_here(&bounds, pc, MAX, &cut);
	__asm__ volatile("" :: "r"(pc) : "memory");
	return n;
}

static NOINLINE unsigned theirs(void)
{
	void *pc[MAX];
	int n = unw_backtrace(pc, MAX);
	__asm__ volatile("" :: "r"(pc) : "memory");
	return (unsigned)n;
}

static double best(unsigned (*fn)(void), double was, unsigned *frames)
{
	double begin = now_ns();
	for (long i = 0; i < iterations; i++) *frames = fn();
	double ns = (now_ns() - begin) / (double)iterations;
	return was == 0 || ns < was ? ns : was;
}

static NOINLINE void leaf(void)
{
	double a = 0, b = 0;
	unsigned n = 0, m = 0;
	for (int i = 0; i < ROUNDS; i++) {
		a = best(ours, a, &n);
		b = best(theirs, b, &m);
	}
	printf("unwind: alloctop %.1f ns, %.2f ns a frame (%u frames); libunwind %.1f ns, %.2f ns a frame (%u frames); ratio %.2f\n",
		a, a / n, n, b, b / m, m, b / m / (a / n));
}

static NOINLINE int few(int n, int a, int b);

static NOINLINE int many(int n, int a, int b, int c, int d)
{
	volatile char room[200];
	room[n & 7] = 1;
	int r = n <= 0 ? (leaf(), 0) : n % 3 ? many(n - 1, b, c, d, a) : few(n - 1, a, b);
	KEEP;
	return r + a * b + c * d + room[n & 7];
}

static NOINLINE int few(int n, int a, int b)
{
	int r = n <= 0 ? (leaf(), 0) : many(n - 1, a, b, n, 3);
	KEEP;
	return r + a + b;
}

int main(int argc, char **argv)
{
	int depth = argc > 1 ? atoi(argv[1]) : 20;
	if (argc > 2) iterations = atol(argv[2]);
	modules_scan();
	return many(depth - 6, 1, 2, 3, 4) == 12345;
}
