/* CFLAGS: -O1 -g -fno-builtin */
/* sick-grow.c: processes whose resident memory grows, or has grown, for different reasons. Each says "ready" and goes on until it is killed.
 *
 * usage: sick-grow noise MIB KIB      a table of MIB of blocks of 16 to 4000 bytes, of which a few are replaced all the time, at sizes that vary; besides
 *                                     forget() allocates KIB a second that nobody frees, from the tenth of a second on: 0 none
 *        sick-grow fill MIB           a cache that fills up to MIB within a second and stays there, at the same busy rate
 *        sick-grow kept MIB           MIB of live blocks, which are replaced, 5000 a second, by slightly larger ones for which the holes are of no use
 *        sick-grow map MIB            MIB a second in mappings of its own
 *        sick-grow stacks N           N threads that have used a mebibyte of stack each
 *        sick-grow pin MIB            MIB of small blocks, freed but for the last one
 *        sick-grow arenas N MIB       N threads, of which one after the other allocates MIB in small blocks and frees all but the last; then all end */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, TICKS = 100, REPLACED = 200, SMALL = 1000, MEAN = 2000, LOST = 400 };

static size_t nblocks, bytes;
static char **block;
static pthread_barrier_t barrier;
static unsigned long seed = 88172645463325252;

static unsigned long draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void ready(void)
{
	if (write(1, "ready\n", 6) != 6) exit(1);
}

__attribute__((noinline)) static char *xmalloc(size_t size)
{
	char *p = malloc(size);

	if (!p) exit(1);
	memset(p, 1, size);
	return p;
}

__attribute__((noinline)) static char *remember(size_t size)
{
	char *p = xmalloc(size);

	__asm__ volatile("" : "+r"(p));
	return p;
}

__attribute__((noinline)) static char *forget(size_t size)
{
	char *p = xmalloc(size);

	__asm__ volatile("" : "+r"(p));
	return p;
}

static void make_table(size_t n)
{
	nblocks = n;
	block = calloc(n, sizeof *block);
}

/* Runs tick() a hundred times a second, as well as the machine lets it; it is told how many seconds have gone by. */
static void __attribute__((noreturn)) run(void (*tick)(double s))
{
	for (double begin = now(), at = begin;; at = now()) {
		tick(at - begin);
		usleep(1000000 / TICKS);
	}
}

static size_t lost_per_s, lost;

static void noise(double s)
{
	for (int i = 0; i < REPLACED; i++) {
		size_t k = draw() % nblocks;
		free(block[k]);
		/* a slow swing: sizes are larger now, smaller then */
		block[k] = remember(16 + draw() % (2 * MEAN - 32) * (9 + ((unsigned long)(s * 4) & 1)) / 10);
	}
	for (; (double)lost < s * (double)lost_per_s; lost += LOST) forget(LOST);
}

static void fill(double s)
{
	size_t wanted = s < 1 ? (size_t)(s * (double)nblocks) : nblocks;

	for (size_t i = 0; i < wanted; i++)
		if (!block[i]) block[i] = remember(SMALL);
	for (int i = 0; wanted && i < REPLACED; i++) {
		size_t k = draw() % wanted;
		free(block[k]);
		block[k] = remember(SMALL);
	}
}

static size_t replaced;

/* Between the holes are small blocks that stay, so that no hole grows together with the next. Once round, and live memory has grown by a thirtieth. */
static void kept(double s)
{
	(void)s;
	for (int i = 0; i < REPLACED / 4 && replaced < nblocks; i++, replaced++) {
		free(block[replaced]);
		block[replaced] = remember(SMALL + 32);
	}
}

static size_t mapped;

static void map(double s)
{
	for (; (double)mapped < s * (double)bytes; mapped += 65536) {
		char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p != MAP_FAILED) memset(p, 1, 65536);
	}
}

static void *deep(void *arg)
{
	volatile char frame[MIB];

	for (size_t i = 0; i < sizeof frame; i += 512) frame[i] = 1;
	pthread_barrier_wait(&barrier);
	for (;;) pause();
	return arg;
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *peak(void *arg)
{
	size_t n = bytes / SMALL;

	pthread_mutex_lock(&turn);
	char **p = malloc((n + 1) * sizeof *p);
	for (size_t i = 0; i < n; i++) p[i] = remember(SMALL);
	for (size_t i = 0; i < n - 1; i++) free(p[i]);
	free(p);
	pthread_mutex_unlock(&turn);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void threads(unsigned n, void *(*body)(void *), int join)
{
	pthread_t *t = calloc(n, sizeof *t);

	pthread_barrier_init(&barrier, NULL, n + 1);
	for (unsigned i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, body, NULL)) exit(1);
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; join && i < n; i++) pthread_join(t[i], NULL);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	size_t a = argc > 2 ? strtoull(argv[2], NULL, 10) : 0, b = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;

	bytes = a * MIB;
	if (!strcmp(what, "noise")) {
		make_table(bytes / MEAN);
		for (size_t i = 0; i < nblocks; i++) block[i] = remember(16 + draw() % (2 * MEAN - 32));
		lost_per_s = b * 1024;
		ready();
		run(noise);
	} else if (!strcmp(what, "fill")) {
		make_table(bytes / SMALL);
		ready();
		run(fill);
	} else if (!strcmp(what, "kept")) {
		make_table(bytes / SMALL);
		for (size_t i = 0; i < nblocks; i++) block[i] = remember(SMALL), remember(16);
		ready();
		run(kept);
	} else if (!strcmp(what, "map")) {
		ready();
		run(map);
	} else if (!strcmp(what, "stacks")) {
		threads((unsigned)a, deep, 0);
	} else if (!strcmp(what, "pin")) {
		pthread_barrier_init(&barrier, NULL, 1);
		peak(NULL);
	} else if (!strcmp(what, "arenas")) {
		bytes = b * MIB;
		threads((unsigned)a, peak, 1);
	} else {
		return 2;
	}
	ready();
	for (;;) pause();
}
