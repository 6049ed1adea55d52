/* blog: the loop by which musl's allocator became known as slow with threads: allocate, fill, free, each time a byte more. Mostly
 * large blocks: a sample every ten of them.
 * usage: blog [threads [iterations]] */
#include "bench.h"
#include <pthread.h>

enum { THREADS_MAX = 64, STEP_AT = 100 };

static long iterations;

static void *thread(void *arg)
{
	size_t n = 0;

	for (long i = 0; i < iterations; i++) {
		unsigned char *p = malloc(n);
		if (!p && n) abort();
		memset(p, 1, n);
		KEEP(p);
		n += n > STEP_AT ? p[STEP_AT] : 1;      /* the next size depends on what was written */
		free(p);
	}
	return arg;
}

int main(int argc, char **argv)
{
	long threads = bench_arg(argc, argv, 1, 2);
	pthread_t t[THREADS_MAX];

	iterations = bench_arg(argc, argv, 2, 100000);
	if (threads < 1 || threads > THREADS_MAX) return 2;
	struct bench b = bench_begin();
	for (long i = 0; i < threads; i++) pthread_create(&t[i], NULL, thread, NULL);
	for (long i = 0; i < threads; i++) pthread_join(t[i], NULL);
	bench_end(b, (double)(iterations * threads));
	return 0;
}
