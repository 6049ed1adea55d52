/* lock-tail.c: eight threads that contend for malloc, which they reach by tail calls: take() jumps to malloc, drop() to free if there is something to
 * free. Neither is on the stack while malloc waits. Until killed. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 8 };

__attribute__((noinline)) static void *take(size_t n)
{
	__asm__ volatile("");
	return malloc(n + 16);
}

__attribute__((noinline)) static void drop(char *p)
{
	if (*p) free(p);
}

static void *run(void *arg)
{
	for (size_t n = 1;; n = n % 190 + 1) {
		char *p = take(n);
		if (!p) abort();
		*p = 1;
		drop(p);
	}
	return arg;
}

int main(void)
{
	pthread_t thread;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, run, NULL)) return 1;
	for (;;) pause();
}
