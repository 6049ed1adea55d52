/* unwind_shadow: stacks compared with a list that the program keeps itself of who called what, so that it works where libunwind does
 * not: tests/cli/unwind builds it with musl, whose programs have .eh_frame without an index and whose libc has none at all. */
/* LINK: agent/modules.c agent/scan.c agent/ehframe.c agent/cfi.c agent/cfi_expression.c agent/cursor.c agent/unwind.c agent/unwind_x86_64.c */
/* CFLAGS: -fomit-frame-pointer */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <alloca.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "agent/modules.h"
#include "agent/unwind.h"

#define NOINLINE __attribute__((noinline))
#define KEEP __asm__ volatile("" ::: "memory")

enum { DEPTH = 200, LIBC = 0 };         /* LIBC in the list: any number of frames of libc */

static __thread uint64_t list[DEPTH];
static __thread unsigned depth;
static __thread struct unwind_bounds bounds;
static unsigned long stacks, frames, equal, early, wrong, printed;

#define ENTER (list[depth++] = (uint64_t)__builtin_return_address(0))
#define LEAVE do { KEEP; depth--; } while (0)

static void add(unsigned long *to, unsigned long n)
{
	__atomic_fetch_add(to, n, __ATOMIC_RELAXED);
}

static NOINLINE void check(void)
{
	uint64_t pc[DEPTH];
	unsigned cut, n, at = 1, skip = 0, was_wrong = 0;
	ENTER;
	n = unwind_here(&bounds, pc, DEPTH, &cut);
	add(&stacks, 1);
	for (unsigned i = depth; i-- > 0 && at < n && !was_wrong;) {
		if (list[i] == LIBC) {
			skip = 1;
			continue;
		}
		for (; skip && at < n && pc[at] != list[i]; at++)
			;
		if (at == n) break;
		skip = 0;
		if (pc[at] == list[i]) at++, add(&equal, 1);
		else was_wrong = 1;
	}
	for (unsigned i = 0; i < depth; i++) add(&frames, list[i] != LIBC);
	if (at == n && !was_wrong && !cut && n <= depth) was_wrong = 1;
	if (at == n && cut) add(&early, 1);
	add(&wrong, was_wrong);
	if (was_wrong && !__atomic_fetch_add(&printed, 1, __ATOMIC_RELAXED))
		for (unsigned i = 0; i < n || i <= depth; i++)
			fprintf(stderr, "# %2u %#14lx %#14lx\n", i, i < n ? pc[i] : 0, i && i <= depth ? list[depth - i] : 0);
	LEAVE;
}

static void end(const char *what, unsigned long least, int whole)
{
	static int number;
	int ok = stacks >= least && !wrong && (!whole || equal == frames);
	printf("%s %d - %s: %lu stacks, %lu of %lu frames equal, %lu stopped early, %lu wrong\n", ok ? "ok" : "not ok", ++number, what,
		stacks, equal, frames, early, wrong);
	fflush(stdout);
	stacks = frames = equal = early = wrong = 0;
}

static NOINLINE int deep(int n, int a, int b, int c)
{
	ENTER;
	if (n == 0) check();
	int r = n > 0 ? (n & 1 ? deep(n - 1, a + b, b * c, c ^ a) : deep(n - 1, c, a, b)) : 0;
	LEAVE;
	return r + a * b + c;
}

static NOINLINE int room(int n, int size)
{
	ENTER;
	volatile char *array = alloca((size_t)size + 1);
	volatile char fixed[64] __attribute__((aligned(64)));
	array[size] = fixed[n & 63] = 1;
	if (n == 0) check();
	else room(n - 1, size * 3 / 2 + 1);
	LEAVE;
	return array[size] + fixed[n & 63];
}

static void on_trap(int s, siginfo_t *info, void *context)
{
	(void)s;
	(void)info;
	list[depth++] = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	ENTER;
	deep(3, 1, 2, 3);
	LEAVE;
	depth--;
}

static NOINLINE int trap(int n, int a, int b)
{
	ENTER;
	if (n == 0) __asm__ volatile("int3" ::: "memory");
	int r = n > 0 ? trap(n - 1, b, a) : a;
	LEAVE;
	return r * b + a;
}

static NOINLINE void traps(int flags)
{
	static char alternate[1 << 16];
	ENTER;
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	struct sigaction a = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | flags };
	sigaltstack(&stack, NULL);
	sigaction(SIGTRAP, &a, NULL);
	for (int i = 0; i < 80; i++) trap(i, 3, i);
	LEAVE;
}

static int compare(const void *a, const void *b)
{
	list[depth++] = LIBC;
	ENTER;
	if (*(const int *)a % 7 == 0) check();
	LEAVE;
	depth--;
	return *(const int *)a - *(const int *)b;
}

static NOINLINE void sort(int n)
{
	ENTER;
	int v[200];
	for (int i = 0; i < 200; i++) v[i] = i * 7919 % 211;
	if (n) sort(n - 1);
	else qsort(v, 200, sizeof v[0], compare);
	LEAVE;
}

/* Code that no module knows. Both store their return address where the second argument says, then call the first. */
static const unsigned char framed[] = { 0x48, 0x8b, 0x04, 0x24, 0x48, 0x89, 0x06,       /* mov (%rsp), %rax; mov %rax, (%rsi) */
	0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };                                /* push %rbp; mov %rsp, %rbp; call *%rdi; pop; ret */
static const unsigned char frameless[] = { 0x48, 0x8b, 0x04, 0x24, 0x48, 0x89, 0x06,
	0x48, 0x83, 0xec, 0x08, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x08, 0xc3 };              /* sub $8, %rsp; call *%rdi; add $8, %rsp; ret */

typedef void jit_code(void (*)(void), uint64_t *);

static NOINLINE void jit(int n, jit_code *code)
{
	ENTER;
	if (n) jit(n - 1, code);
	else {
		depth++;
		code(check, &list[depth - 1]);
		depth--;
	}
	LEAVE;
}

static NOINLINE void made_at_run_time(const unsigned char *bytes, size_t size)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ENTER;
	memcpy(p, bytes, size);
	mprotect(p, 4096, PROT_READ | PROT_EXEC);
	for (int i = 0; i < 50; i++) jit(i, (jit_code *)(uintptr_t)p);
	munmap(p, 4096);
	LEAVE;
}

static void *thread(void *arg)
{
	ENTER;
	for (int i = 0; i < 100; i++) deep(i, 1, 2, (int)(intptr_t)arg);
	LEAVE;
	return NULL;
}

int main(void)
{
	pthread_t t[4];
	ENTER;
	printf("1..8\n");
	modules_scan();
	for (int i = 0; i < 100; i++) deep(i, 1, i, 3);
	end("recursion", 100, 1);
	for (int i = 0; i < 14; i++) room(i, i);
	end("alloca on realigned stacks", 14, 1);
	traps(0);
	end("signals on the own stack", 80, 1);
	traps(SA_ONSTACK);
	end("signals on another stack", 80, 1);
	for (int i = 0; i < 5; i++) sort(i * 10);
	end("through libc's qsort", 100, 0);
	made_at_run_time(framed, sizeof framed);
	end("code made at run time, with frame pointers", 50, 1);
	made_at_run_time(frameless, sizeof frameless);
	end("code made at run time, without", 50, 0);
	for (intptr_t i = 0; i < 4; i++) pthread_create(&t[i], NULL, thread, (void *)i);
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	end("threads", 400, 1);
	return 0;
}
