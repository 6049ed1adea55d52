/* mixed: threads that each replace random blocks of a table: sizes 16 B to 4 KiB, evenly on a logarithmic scale, one write to each
 * cache line of a block, 16 call stacks.
 * usage: mixed [threads [operations [slots]]], both per thread. */
/* LDLIBS: -lm */
#include "bench.h"
#include <math.h>
#include <pthread.h>

enum { SIZES = 4096, THREADS_MAX = 64 };

static uint16_t size_of[SIZES];
static long operations, slots;
static pthread_barrier_t start, end;

/* Four levels, each of which is called from two places of the one above: 16 ways down to malloc. */
static NOINLINE void *way4(unsigned way, size_t n)
{
	void *p;

	if (way & 1) { p = malloc(n); NO_TAIL_CALL; }
	else { p = malloc(n); KEEP(p); }
	return p;
}

#define LEVEL(name, next, bit) \
	static NOINLINE void *name(unsigned way, size_t n) \
	{ \
		void *p; \
		if (way & (bit)) { p = next(way, n); NO_TAIL_CALL; } \
		else { p = next(way, n); KEEP(p); } \
		return p; \
	}
LEVEL(way3, way4, 2)
LEVEL(way2, way3, 4)
LEVEL(way1, way2, 8)

static NOINLINE void work(char **slot, uint64_t seed)
{
	for (long i = 0; i < operations; i++) {
		uint64_t r = bench_random(&seed);
		char **s = &slot[(r >> 32) % (uint64_t)slots];
		size_t n = size_of[r % SIZES];
		free(*s);
		*s = way1((unsigned)(r >> 12) & 15, n);
		for (size_t at = 0; at < n; at += 64) (*s)[at] = 1;
	}
}

static NOINLINE void at_depth(int depth, char **slot, uint64_t seed)
{
	if (depth > 0) at_depth(depth - 1, slot, seed);
	else work(slot, seed);
	NO_TAIL_CALL;
}

static void *thread(void *arg)
{
	char **slot = calloc((size_t)slots, sizeof *slot);

	if (!slot) abort();
	pthread_barrier_wait(&start);
	at_depth(3, slot, (uintptr_t)arg);
	pthread_barrier_wait(&end);
	for (long i = 0; i < slots; i++) free(slot[i]);
	free(slot);
	return NULL;
}

int main(int argc, char **argv)
{
	long threads = bench_arg(argc, argv, 1, 1);
	pthread_t t[THREADS_MAX];

	operations = bench_arg(argc, argv, 2, 5000000);
	slots = bench_arg(argc, argv, 3, 10000);
	if (threads < 1 || threads > THREADS_MAX) return 2;
	for (int i = 0; i < SIZES; i++) size_of[i] = (uint16_t)exp2(4 + 8 * (i + 0.5) / SIZES);
	pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
	pthread_barrier_init(&end, NULL, (unsigned)threads + 1);
	for (long i = 0; i < threads; i++) pthread_create(&t[i], NULL, thread, (void *)(i + 1));
	struct bench b = bench_begin();         /* no thread passes the barrier before */
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&end);
	bench_end(b, (double)(operations * threads));
	for (long i = 0; i < threads; i++) pthread_join(t[i], NULL);
	return 0;
}
