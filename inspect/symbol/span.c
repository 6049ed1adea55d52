/* span.c: a sorted array with a running maximum. See span.h. */
#include "inspect/symbol/span.h"

#include <stdlib.h>

#include "inspect/target/xalloc.h"

enum { SEARCH_MAX = 4096 };             /* spans looked at by one step: hostile files may nest all in one another */

void spans_add(struct spans *s, uint64_t start, uint64_t end, uint32_t id)
{
	if (start >= end) return;
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 64;
		s->span = xreallocarray(s->span, s->cap, sizeof *s->span);
	}
	s->span[s->n++] = (struct span){start, end, id};
}

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	if (x->start != y->start) return x->start < y->start ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

void spans_sort(struct spans *s)
{
	if (!s->n) return;
	qsort(s->span, s->n, sizeof *s->span, by_start);
	s->reach = xreallocarray(s->reach, s->n, sizeof *s->reach);
	uint64_t max = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (s->span[i].end > max) max = s->span[i].end;
		s->reach[i] = max;
	}
}

const struct span *spans_find(const struct spans *s, uint64_t addr, const struct span *after)
{
	size_t lo = 0, hi = after ? (size_t)(after - s->span) : s->n;
	while (!after && lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->span[mid].start <= addr) lo = mid + 1;
		else hi = mid;
	}
	for (unsigned steps = 0; hi-- && s->reach[hi] > addr && steps < SEARCH_MAX; steps++)
		if (s->span[hi].end > addr) return &s->span[hi];
	return NULL;
}

void spans_free(struct spans *s)
{
	free(s->span);
	free(s->reach);
	*s = (struct spans){0};
}
