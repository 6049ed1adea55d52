/* sites.c: a live heap with COUNT call sites, up to 6400: 80 functions that allocate, each called by 80 others. All blocks are replaced,
 * 1000 each second, so that a screen has something new each time.
 * usage: sites [COUNT]; prints "ready", then works until its input ends. */
#include "bench.h"
#include <poll.h>
#include <stddef.h>

enum { EACH = 80, BLOCKS = 4 };

typedef void *allocating(size_t n);

#define LEAF(x, y) static NOINLINE void *leaf_##x##y(size_t n) { void *p = malloc(n); NO_TAIL_CALL; KEEP(p); return p; }
#define CALLER(x, y) static NOINLINE void *caller_##x##y(allocating *f, size_t n) { void *p = f(n); NO_TAIL_CALL; KEEP(p); return p; }
#define LEAF_NAME(x, y) leaf_##x##y,
#define CALLER_NAME(x, y) caller_##x##y,
#define TEN(M, x) M(x, 0) M(x, 1) M(x, 2) M(x, 3) M(x, 4) M(x, 5) M(x, 6) M(x, 7) M(x, 8) M(x, 9)
#define EIGHTY(M) TEN(M, 0) TEN(M, 1) TEN(M, 2) TEN(M, 3) TEN(M, 4) TEN(M, 5) TEN(M, 6) TEN(M, 7)

EIGHTY(LEAF)
EIGHTY(CALLER)

static allocating *const leaf[EACH] = { EIGHTY(LEAF_NAME) };
static void *(*const caller[EACH])(allocating *, size_t) = { EIGHTY(CALLER_NAME) };

int main(int argc, char **argv)
{
	long count = bench_arg(argc, argv, 1, 5000);
	struct pollfd in = { .fd = 0, .events = POLLIN };

	if (count < 1 || count > EACH * EACH) return 2;
	void **block = calloc((size_t)count * BLOCKS, sizeof *block);
	for (long i = 0;; i = (i + 1) % (count * BLOCKS)) {
		static long made;
		long site = i % count;
		free(block[i]);
		block[i] = caller[site / EACH](leaf[site % EACH], 100 + (size_t)site);
		if (++made < count * BLOCKS) continue;
		if (made == count * BLOCKS) puts("ready"), fflush(stdout);
		if (made % 10 == 0 && poll(&in, 1, 10) > 0) break;
	}
	return 0;
}
