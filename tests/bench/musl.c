/* musl: what reading a heap of musl's costs: `musl PID` prints rows for tests/bench/musl.row: milliseconds of the best of several rounds, per 10^9
 * bytes that the heap has mapped. */
#include "inspect/allocator/musl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/target/err.h"

enum { ROUNDS = 25 };

static uint64_t told;

static void hear(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	(void)s;
	(void)start;
	(void)what;
	told += bytes;
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Best of the rounds, per 10^9 bytes. */
static double best(const struct target *t, const struct allocator_found *f, unsigned flags, struct allocator_sink *sink, unsigned rounds)
{
	double least = 0;
	struct err e;

	for (unsigned i = 0; i < rounds; i++) {
		struct heap_allocator a = { 0 };
		double begin = now_ms();
		if (allocator_musl.read(t, f, flags, &a, sink, &e) || a.status) {
			fprintf(stderr, "musl: %s\n", a.status ? a.status_text : e.text);
			exit(1);
		}
		double ms = (now_ms() - begin) / ((double)a.mapped / 1e9);
		if (!i || ms < least) least = ms;
		heap_allocator_free(&a);
	}
	return least;
}

static void row(const char *what, double bar, double ms)
{
	if (bar > 0) printf("%s\t%.0f ms/GB\t%.1f ms/GB\t%s\n", what, bar, ms, ms <= bar ? "met" : "missed");
	else printf("%s\t-\t%.1f ms/GB\t-\n", what, ms);
}

int main(int argc, char **argv)
{
	struct allocator_sink sink = { hear };
	struct allocator_found f;
	struct target t;
	struct err e;

	if (argc < 2 || target_open_pid(&t, (pid_t)atoi(argv[1]), &e) || allocator_musl.probe(&t, &f, 1) != 1) return 1;
	row("mallocng, 64-byte objects: live and free", 5, best(&t, &f, 0, NULL, ROUNDS));
	row("mallocng, 64-byte objects: and every range told", 0, best(&t, &f, 0, &sink, ROUNDS));
	row("mallocng, 64-byte objects: requested sizes", 600, best(&t, &f, ALLOCATOR_REQUESTED, NULL, 5));
	target_close(&t);
	return told == 0;
}
