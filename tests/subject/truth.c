/* truth.c: a heap whose content by function is known, for the accuracy of the estimates.
 *
 * Four threads allocate through one function per size: 16 B, 200 B, 4 KiB, 64 KiB, 1 MiB, 8 MiB, each until it has handed out TOTAL
 * bytes over all threads. Of every two blocks one is freed: by its own thread in half of the cases, by the next thread in the other
 * half. The rest is live when main returns. Before that it prints, a line per function: NAME live-bytes live-objects alloc-bytes.
 * usage: truth [MiB per function] (default 64) */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 4, SIZES = 6 };

static const size_t size_of[SIZES] = { 16, 200, 4096, 65536, 1 << 20, 8 << 20 };
static const char *const name_of[SIZES] = { "take_16", "take_200", "take_4k", "take_64k", "take_1m", "take_8m" };
static size_t total = 64 << 20;
static void **given[THREADS];           /* blocks for the next thread to free */
static size_t ngiven[THREADS], count[SIZES], freed[SIZES];
static pthread_barrier_t turn;

#define KEEP(p) __asm__ volatile("" : "+r"(p) : : "memory")
#define TAKE(name) __attribute__((noinline)) static void *name(size_t n) { void *p = malloc(n); KEEP(p); return p; }
TAKE(take_16)
TAKE(take_200)
TAKE(take_4k)
TAKE(take_64k)
TAKE(take_1m)
TAKE(take_8m)
static void *(*const take[SIZES])(size_t) = { take_16, take_200, take_4k, take_64k, take_1m, take_8m };

static void *work(void *arg)
{
	size_t me = (size_t)arg;

	for (int k = 0; k < SIZES; k++) {
		size_t n = total / size_of[k] / THREADS;
		if (n < 4) n = 4;
		for (size_t i = 0; i < n; i++) {
			void *p = take[k](size_of[k]);
			if (!p) abort();
			__atomic_fetch_add(&count[k], 1, __ATOMIC_RELAXED);
			if (i % 2) continue;
			__atomic_fetch_add(&freed[k], 1, __ATOMIC_RELAXED);
			if (i % 4) free(p);
			else given[me][ngiven[me]++] = p;
		}
	}
	pthread_barrier_wait(&turn);
	size_t other = (me + 1) % THREADS;
	for (size_t i = 0; i < ngiven[other]; i++) free(given[other][i]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];
	size_t slots = 0;

	if (argc > 1) total = strtoul(argv[1], NULL, 10) << 20;
	for (int k = 0; k < SIZES; k++) slots += total / size_of[k] / THREADS / 4 + 4;
	for (int i = 0; i < THREADS; i++) given[i] = calloc(slots, sizeof(void *));
	pthread_barrier_init(&turn, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)i)) return 1;
	for (int i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
	for (int k = 0; k < SIZES; k++)
		printf("%s %zu %zu %zu\n", name_of[k], (count[k] - freed[k]) * size_of[k], count[k] - freed[k], count[k] * size_of[k]);
	return 0;
}
