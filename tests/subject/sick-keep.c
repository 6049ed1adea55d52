/* CFLAGS: -O1 -fno-builtin */
/* sick-keep.c: processes that are quiet, and have something wrong with their memory, or not. Each says "ready" and sleeps until it is killed.
 *
 * usage: sick-keep hold MIB          MIB of live blocks of 100000 bytes, all written to: healthy
 *        sick-keep drop MIB          the same, then all of them freed but one in 16
 *        sick-keep joined MIB        as drop, and then joined to huge pages, as the kernel does by itself in the course of time
 *        sick-keep lazy MIB          a block of MIB, given back with MADV_FREE
 *        sick-keep holes MIB         MIB of blocks of 1000 bytes, then every other one freed
 *        sick-keep tiny MIB          blocks of one byte, until they are MIB at 24 bytes each
 *        sick-keep caches MIB        four threads that allocate MIB / 4 each in blocks of 1000 bytes, free all, and sleep
 *        sick-keep ended MIB         threads that allocate blocks of 1000 bytes and end; afterwards all but one in 16 are freed
 *        sick-keep threads N         N threads with a block of 1000 bytes each, that sleep
 *        sick-keep two MIB           MIB from malloc, MIB from __libc_malloc (where there is one) */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t) __attribute__((weak));

enum { MIB = 1 << 20, SMALL = 1000, LARGE = 100000, THREADS = 4 };

static pthread_barrier_t barrier;
static char **blocks;           /* of threads */
static size_t count;            /* of each of them */

static void *get(void *(*from)(size_t), size_t size) { return memset(from(size), 1, size); }

static void **fill(void *(*from)(size_t), size_t bytes, size_t size, size_t *n)
{
	void **p = malloc(bytes / size * sizeof *p);

	for (*n = 0; *n < bytes / size; ++*n) p[*n] = get(from, size);
	return p;
}

/* Frees all but each keep'th. */
static void release(void **p, size_t n, size_t keep)
{
	for (size_t i = 0; i < n; i++)
		if (i % keep) free(p[i]);
}

static void drop(size_t bytes, size_t size, size_t keep)
{
	size_t n;
	void **p = fill(malloc, bytes, size, &n);

	release(p, n, keep);
}

/* Includes what has been given back between the blocks. */
static void joined(size_t bytes)
{
	enum { HUGE = 2 << 20, COLLAPSE = 25 /* MADV_COLLAPSE, Linux 6.1 */ };
	size_t n;
	void **p = fill(malloc, bytes, LARGE, &n);

	release(p, n, 16);
	for (size_t i = 0; i < n; i += 16) madvise((void *)((uintptr_t)p[i] & -(uintptr_t)HUGE), HUGE, COLLAPSE);
}

static void lazy(size_t bytes)
{
	char *p = aligned_alloc(4096, bytes);

	memset(p, 1, bytes);
	if (madvise(p, bytes, MADV_FREE)) abort();
}

static void *cache(void *arg)
{
	size_t n;
	void **p = fill(malloc, (size_t)arg, SMALL, &n);

	for (size_t i = 0; i < n; i++) free(p[i]);
	pthread_barrier_wait(&barrier);
	for (;;) pause();
	return p;
}

static void *end(void *arg)
{
	for (size_t i = 0; i < count; i++) blocks[(size_t)arg * count + i] = get(malloc, SMALL);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void *one(void *arg)
{
	char *p = get(malloc, SMALL);

	pthread_barrier_wait(&barrier);
	for (;;) pause();
	return arg ? arg : p;
}

static void threads(unsigned n, void *(*body)(void *), size_t arg, int numbered, pthread_t *thread)
{
	pthread_barrier_init(&barrier, NULL, n + 1);
	for (size_t i = 0; i < n; i++)
		if (pthread_create(&thread[i], NULL, body, (void *)(numbered ? i : arg))) abort();
	pthread_barrier_wait(&barrier);
}

static void ended(size_t bytes)
{
	pthread_t thread[THREADS];

	count = bytes / SMALL / THREADS;
	blocks = malloc(THREADS * count * sizeof *blocks);
	threads(THREADS, end, 0, 1, thread);
	for (unsigned i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
	release((void **)blocks, THREADS * count, 16);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	size_t arg = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, bytes = arg * MIB, n;
	pthread_t *thread = malloc((arg + THREADS) * sizeof *thread);

	if (!strcmp(what, "hold")) fill(malloc, bytes, LARGE, &n);
	else if (!strcmp(what, "drop")) drop(bytes, LARGE, 16);
	else if (!strcmp(what, "holes")) drop(bytes, SMALL, 2);
	else if (!strcmp(what, "joined")) joined(bytes);
	else if (!strcmp(what, "lazy")) lazy(bytes);
	else if (!strcmp(what, "tiny")) for (n = 0; n < bytes / 24; n++) *(char *)malloc(1) = 1;
	else if (!strcmp(what, "caches")) threads(THREADS, cache, bytes / THREADS, 0, thread);
	else if (!strcmp(what, "ended")) ended(bytes);
	else if (!strcmp(what, "threads")) threads((unsigned)arg, one, 0, 0, thread);
	else if (!strcmp(what, "two") && __libc_malloc) fill(malloc, bytes, SMALL, &n), fill(__libc_malloc, bytes, SMALL, &n);
	else return 2;
	if (write(1, "ready\n", 6) != 6) return 1;
	for (;;) pause();
}
