/* lock-blog.c: the benchmark by which musl's malloc lock became known: each thread allocates a block, fills it, frees it, one byte larger
 * each time.
 *
 * usage: lock-blog THREADS [CAP [ROUNDS]]
 * At CAP bytes (100000) a thread begins anew; 200 keeps to small blocks. ROUNDS per thread, 0 (the default): until it is killed. Its threads are
 * called "blog"; whoever waits for malloc waits below work(). For each line on stdin it says "rounds N", so far, of all threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };
static size_t cap = 100000;
static unsigned long rounds;
static struct { unsigned long n; char line[120]; } done[THREADS_MAX];  /* a cache line each, or nearly */

__attribute__((noinline)) static void work(size_t size)
{
	unsigned char *p = malloc(size);

	if (!p) abort();
	memset(p, 1, size);
	__asm__ volatile("" : : "r"(p) : "memory");
	free(p);
	__asm__ volatile("");           /* no tail call: whoever waits in free has been called from here */
}

static void *run(void *arg)
{
	unsigned long *n = arg;

	prctl(PR_SET_NAME, "blog");
	for (size_t size = 1; !rounds || *n < rounds; size = size < cap ? size + 1 : 1) {
		work(size);
		__atomic_store_n(n, *n + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void answer(int threads)
{
	unsigned long all = 0;

	for (int i = 0; i < threads; i++) all += __atomic_load_n(&done[i].n, __ATOMIC_RELAXED);
	printf("rounds %lu\n", all);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 2;
	pthread_t thread[THREADS_MAX];
	char line[16];

	if (threads < 1 || threads > THREADS_MAX) return 2;
	if (argc > 2) cap = strtoul(argv[2], NULL, 10);
	if (argc > 3) rounds = strtoul(argv[3], NULL, 10);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, &done[i].n)) return 1;
	while (fgets(line, sizeof line, stdin)) answer(threads);
	for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
	answer(threads);
	return 0;
}
