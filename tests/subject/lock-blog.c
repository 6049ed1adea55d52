/* lock-blog.c: the benchmark by which musl's malloc lock became known: each thread allocates a block, fills it, frees it, one byte larger
 * each time.
 *
 * usage: lock-blog THREADS [CAP [ROUNDS [timed]]]
 * At CAP bytes (100000) a thread begins anew; 200 keeps to small blocks. ROUNDS per thread, 0 (the default): until it is killed. Its threads are
 * called "blog"; whoever waits for malloc waits below work(). For each line on stdin it says "rounds N calls S", so far, of all threads: S
 * are the thread-seconds spent in malloc and free, by its own clock, if it was told to time them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 256 };
static size_t cap = 100000;
static unsigned long rounds;
static int timed;
static struct tally { unsigned long n, ns; char line[112]; } done[THREADS_MAX];  /* a cache line each, or nearly */

static unsigned long now(void)
{
	struct timespec ts;

	if (!timed) return 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000000000 + (unsigned long)ts.tv_nsec;
}

__attribute__((noinline)) static void work(size_t size, struct tally *t)
{
	unsigned long a = now(), b, c;
	unsigned char *p = malloc(size);

	if (!p) abort();
	b = now();
	memset(p, 1, size);
	__asm__ volatile("" : : "r"(p) : "memory");
	c = now();
	free(p);
	if (timed) __atomic_store_n(&t->ns, t->ns + (b - a) + (now() - c), __ATOMIC_RELAXED);
	__asm__ volatile("");           /* no tail call: whoever waits in free has been called from here */
}

static void *run(void *arg)
{
	struct tally *t = arg;

	prctl(PR_SET_NAME, "blog");
	for (size_t size = 1; !rounds || t->n < rounds; size = size < cap ? size + 1 : 1) {
		work(size, t);
		__atomic_store_n(&t->n, t->n + 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void answer(int threads)
{
	unsigned long all = 0, ns = 0;

	for (int i = 0; i < threads; i++) {
		all += __atomic_load_n(&done[i].n, __ATOMIC_RELAXED);
		ns += __atomic_load_n(&done[i].ns, __ATOMIC_RELAXED);
	}
	printf("rounds %lu calls %.6f\n", all, (double)ns * 1e-9);
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
	timed = argc > 4;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, &done[i])) return 1;
	while (fgets(line, sizeof line, stdin)) answer(threads);
	for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
	answer(threads);
	return 0;
}
