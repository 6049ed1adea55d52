/* xfree: one thread allocates, another frees: every free is a remote one. They pass blocks through a ring, each on a processor of its
 * own where there are two: on one they would only take turns.
 * usage: xfree [blocks] */
#include "bench.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { RING = 4096, PATIENCE = 256, LINE = 64 };

static struct {
	_Alignas(LINE) _Atomic long put;
	_Alignas(LINE) _Atomic long taken;
	_Alignas(LINE) void *block[RING];
} ring;
static long blocks;

/* Until *counter has reached `least`. Gives the processor away from time to time: there may be only one. */
static void await(_Atomic long *counter, long least)
{
	for (unsigned i = 1; atomic_load_explicit(counter, memory_order_acquire) < least; i++)
		if (i % PATIENCE == 0) sched_yield();
}

static void settle_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof set, &set);         /* of this thread; may fail */
}

static void *producer(void *arg)
{
	uint64_t seed = 1;

	settle_on(1);
	for (long i = 0; i < blocks; i++) {
		char *p = malloc(16 + bench_random(&seed) % 497);
		if (!p) abort();
		*p = 1;
		await(&ring.taken, i - RING + 1);
		ring.block[i % RING] = p;
		atomic_store_explicit(&ring.put, i + 1, memory_order_release);
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t;

	blocks = bench_arg(argc, argv, 1, 3000000);
	settle_on(0);
	struct bench b = bench_begin();
	pthread_create(&t, NULL, producer, NULL);
	for (long i = 0; i < blocks; i++) {
		await(&ring.put, i + 1);
		void *p = ring.block[i % RING];
		atomic_store_explicit(&ring.taken, i + 1, memory_order_release);
		free(p);
	}
	pthread_join(t, NULL);
	bench_end(b, (double)blocks);
	return 0;
}
