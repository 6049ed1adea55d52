/* hold: keeps blocks allocated, over many call stacks, then waits to be looked at: what a live sample costs in memory.
 * usage: hold [blocks [stacks]]; prints its line, then reads from stdin until that ends. */
#include "bench.h"
#include <unistd.h>

enum { SIZE = 32, DEPTH = 16 };

/* Two places to call from at each level: the bits of `way` are the stack. */
static NOINLINE void *down(int depth, unsigned way)
{
	void *p;

	if (!depth) { p = malloc(SIZE); NO_TAIL_CALL; }
	else if (way & 1) { p = down(depth - 1, way >> 1); NO_TAIL_CALL; }
	else { p = down(depth - 1, way >> 1); KEEP(p); }
	return p;
}

int main(int argc, char **argv)
{
	long blocks = bench_arg(argc, argv, 1, 10000), stacks = bench_arg(argc, argv, 2, 200);
	char c;
	struct bench b = bench_begin();

	for (long i = 0; i < blocks; i++) KEEP(down(DEPTH, (unsigned)(i % stacks)));
	bench_end(b, (double)(blocks ? blocks : 1));
	fflush(stdout);
	while (read(0, &c, 1) > 0) ;
	return 0;
}
