/* bench.h: what the measured programs share: clocks, random numbers, and the one line that each prints at its end and tests/bench/run
 * reads: "BENCH wall=NS cpu=NS rss=KIB", both times per operation, the resident memory as it was when the timed part ended. */
#ifndef BENCH_H
#define BENCH_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))
#define KEEP(p) __asm__ volatile("" :: "r"(p) : "memory")       /* the compiler must believe that p is used */
#define NO_TAIL_CALL __asm__ volatile("")

struct bench { double wall, cpu; };

static inline double bench_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* With BENCH_STOP set it stops itself (SIGSTOP) before the timed part: attach.row. */
static inline struct bench bench_begin(void)
{
	static int begun;

	if (!begun++ && getenv("BENCH_STOP")) raise(SIGSTOP);
	return (struct bench){ bench_clock(CLOCK_MONOTONIC), bench_clock(CLOCK_PROCESS_CPUTIME_ID) };
}

static inline long bench_rss(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	long kib = -1;

	while (f && fgets(line, sizeof line, f) && sscanf(line, "Rss: %ld", &kib) != 1) ;
	if (f) fclose(f);
	return kib;
}

static inline void bench_end(struct bench b, double operations)
{
	struct bench now = bench_begin();

	printf("BENCH wall=%.4f cpu=%.4f rss=%ld\n", (now.wall - b.wall) / operations, (now.cpu - b.cpu) / operations, bench_rss());
}

/* The i-th argument, or what it is when it is not given. */
static inline long bench_arg(int argc, char **argv, int i, long otherwise)
{
	return i < argc ? strtol(argv[i], NULL, 10) : otherwise;
}

/* splitmix64 */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

#endif
