/* sym-c.c: code whose names and lines are known: inlined calls, a nested function, a cold part. Prints "ready" and the address of
 * outer when it is given an argument, and waits for the end of its input. */
/* SUBJECT: no-musl */
#include <stdio.h>
#include <stdlib.h>

volatile int sink;

static inline __attribute__((always_inline)) void innermost(int n)
{
	sink += n * 3;
}

static inline __attribute__((always_inline)) void middle(int n)
{
	if (n > 2) innermost(n);
	for (int i = 0; i < n; i++) {
		innermost(i + 1);
	}
}

__attribute__((noinline)) void outer(int n)
{
	middle(n);
	sink++;
}

__attribute__((noinline)) int split(int n)
{
	if (__builtin_expect(n == 77777, 0)) {
		puts("cold");
		abort();
	}
	return n + sink;
}

__attribute__((noinline)) int sort_some(int *v, size_t n)
{
	int compare(const void *a, const void *b)
	{
		sink++;
		return *(const int *)a - *(const int *)b;
	}
	qsort(v, n, sizeof *v, compare);
	return v[0];
}

__attribute__((visibility("default"))) int sym_main(int argc)
{
	int v[] = {3, 1, 2, argc};
	outer(argc);
	return split(sort_some(v, 4));
}

int main(int argc, char **argv)
{
	(void)argv;
	int r = sym_main(argc);
	if (argc > 1) {
		printf("ready %p\n", (void *)outer);
		fflush(stdout);
		while (getchar() != EOF) {}
	}
	return r == 12345;
}
