/* jemalloc_ecache.c: the locks of an arena's free extents. It has three collections of them in a row, of dirty, of muzzy and of retained ones, each with
 * its mutex first and, last, which of the three it is (ecache.h of 5.3: state, number of the arena, whether to delay coalescing; before, in
 * extent_structs.h, without the number). Only those of dirty extents are coalesced late. Where they are in an arena, and how large they
 * are, differs from build to build; that they say 1, 2, 3 in equal distances does not. */
#include "inspect/allocator/jemalloc.h"

#include <stdlib.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { DIRTY = 1, MUZZY, RETAINED, LEAST = 1024, MOST = 64 << 10, TAIL_MAX = 16 };

/* Does what stands here end such a collection? */
static int is_end(const char *p, const struct jemalloc_layout *l, unsigned state, unsigned arena)
{
	const char *coalesced = p + 4;

	if (l->ecache_numbered) {
		if (window_half(p, 4) != arena) return 0;
		coalesced += 4;
	}
	return window_half(p, 0) == state && *coalesced == (state == DIRTY);
}

static unsigned tail_of(const struct jemalloc_layout *l) { return l->ecache_numbered ? 16 : 8; }

/* In a copy of the arena: where the first begins, and how large each is. Of what looks so, the one whose mutexes look like some. */
static int find(const char *p, size_t n, const struct jemalloc_layout *l, unsigned arena, struct jemalloc_ecaches *out)
{
	unsigned tail = tail_of(l);

	for (size_t end = LEAST; end + TAIL_MAX <= n; end += 8) {
		if (!is_end(p + end, l, DIRTY, arena)) continue;
		for (size_t size = LEAST; size <= MOST && size <= end + tail && end + 2 * size + TAIL_MAX <= n; size += 8) {
			const char *first = p + end + tail - size;
			if (!is_end(p + end + size, l, MUZZY, arena) || !is_end(p + end + 2 * size, l, RETAINED, arena)) continue;
			if (!jemalloc_is_mutex(first) || !jemalloc_is_mutex(first + size) || !jemalloc_is_mutex(first + 2 * size)) continue;
			*out = (struct jemalloc_ecaches){ (size_t)(first - p), size };
			return 0;
		}
	}
	return -1;
}

int jemalloc_ecaches(const struct jemalloc *j, const struct jemalloc_arena *a, struct jemalloc_ecaches *out)
{
	size_t n = j->found->extra[JEMALLOC_EXTRA_BINS];
	char *p;
	int bad;

	if (n > JEMALLOC_BLOCK) return -1;
	p = xmalloc(n + 1);
	n = mem_read_some(j->t->mem, a->addr, p, n);
	bad = find(p, n, j->layout, a->index, out);
	free(p);
	return bad;
}

void jemalloc_ecache_locks(const struct jemalloc *j, const struct jemalloc_arena *a, const struct jemalloc_ecaches *at, jemalloc_ecache_fn *fn, void *arg)
{
	static const char *const name[] = { [DIRTY] = "dirty extents", [MUZZY] = "muzzy extents", [RETAINED] = "retained extents" };

	for (unsigned state = DIRTY; state <= RETAINED; state++) {
		uint64_t first = a->addr + at->first + (state - DIRTY) * at->size;
		struct jemalloc_mutex m;
		char end[TAIL_MAX];
		if (window_read(j->w, first + at->size - tail_of(j->layout), end, sizeof end) || !is_end(end, j->layout, state, a->index)) return;
		if (!jemalloc_mutex_read(j->t, first + JEMALLOC_MUTEX_WORD, &m) && m.ops) fn(arg, a, name[state], first + JEMALLOC_MUTEX_WORD);
	}
}
