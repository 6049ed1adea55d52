/* fastpair: malloc and free of one block over and over: what the fast path adds, or, with large blocks, what a sample adds.
 * usage: fastpair [pairs [size [depth [kept]]]]: `depth` frames below; `kept` blocks of the same size stay allocated, without which
 * musl's allocator would map and unmap a whole group for each pair. */
#include "bench.h"

static NOINLINE void pairs(long n, size_t size)
{
	while (n-- > 0) {
		void *p = malloc(size);
		KEEP(p);
		free(p);
	}
}

static NOINLINE void at_depth(long depth, long n, size_t size)
{
	if (depth > 0) {
		at_depth(depth - 1, n, size);
		NO_TAIL_CALL;
		return;
	}
	pairs(n / 16 + 1, size);        /* warm */
	struct bench b = bench_begin();
	pairs(n, size);
	bench_end(b, (double)n);
}

int main(int argc, char **argv)
{
	long n = bench_arg(argc, argv, 1, 20000000), depth = bench_arg(argc, argv, 3, 8), kept = bench_arg(argc, argv, 4, 4);
	size_t size = (size_t)bench_arg(argc, argv, 2, 64);

	while (kept-- > 0) {
		void *p = malloc(size);
		KEEP(p);
	}
	at_depth(depth, n, size);
	return 0;
}
