/* glibc_segments.c: where an arena's chunks lie. The main arena grows with brk from mp_.sbrk_base to the end of its top chunk; every
 * other arena is a chain of heaps, mappings at aligned addresses that begin with a struct heap_info. */
#include "inspect/allocator/glibc.h"

#include <stdlib.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { HEAPS_MAX = 1 << 17 };           /* of 64 MiB */

/* HEAP_MAX_SIZE: the default, then four times each size of huge page (2.35 to 2.41, hugetlb=2) */
static const uint64_t heap_max[] = { 64 << 20, 8 << 20, UINT64_C(4) << 30, 0 };

static uint64_t align_up(uint64_t v)
{
	return (v + GLIBC_ALIGN - 1) & ~(uint64_t)(GLIBC_ALIGN - 1);
}

static void add(struct glibc *g, struct glibc_segment s)
{
	if (!(g->nsegments & (g->nsegments - 1))) g->segment = xreallocarray(g->segment, g->nsegments ? g->nsegments * 2 : 1, sizeof *g->segment);
	g->segment[g->nsegments++] = s;
}

/* Size of the top chunk; 0 when it makes no sense. */
static uint64_t top_size(struct glibc *g, struct glibc_arena *a)
{
	struct glibc_chunk c;
	uint64_t size;

	if (a->top % GLIBC_ALIGN || mem_read_some(g->t->mem, a->top, &c, 16) < 16) return 0;
	size = c.size & ~(uint64_t)GLIBC_BITS;
	return size < GLIBC_FENCE || size > a->system_mem ? 0 : size;
}

/* Beyond the end of the heap as the map has it, in nothing else: brk was called since the map was read. A heap that grows all the time is
   never caught between two such calls. */
static int has_grown(const struct glibc *g, uint64_t start, uint64_t top)
{
	const struct map *m = maps_find(&g->t->maps, start), *end = g->t->maps.map + g->t->maps.n;

	return m && !strcmp(m->path, "[heap]") && top >= m->end && (m + 1 == end || top < m[1].start);
}

static void main_segment(struct glibc *g)
{
	struct glibc_arena *a = &g->arena[0];
	struct glibc_segment s = { .end = a->top + a->top_size, .has_top = 1 };

	/* the second by arithmetic: what the arena got from the system ends with its top */
	if (g->sbrk_base && g->sbrk_base <= a->top) s.start = align_up(g->sbrk_base);
	else if (a->system_mem <= s.end) s.start = align_up(s.end - a->system_mem);
	if (!s.start || !target_is_anonymous(g->t, s.start) || (!target_is_anonymous(g->t, a->top) && !has_grown(g, s.start, a->top))) {
		glibc_bad(g, "the main arena's memory is not where it says");
		return;
	}
	add(g, s);
}

/* The chain of heaps of arena i, newest first. */
static void heap_segments(struct glibc *g, size_t i)
{
	struct glibc_arena *a = &g->arena[i];
	uint64_t info[4], mask = 0, heap, first;

	for (const uint64_t *m = heap_max; *m && !mask; m++)
		if (mem_read_some(g->t->mem, a->top & ~(*m - 1), info, 8) == 8 && info[0] == a->addr && (a->top & ~(*m - 1)) < a->top) mask = *m - 1;
	if (!mask) {
		glibc_bad(g, "arena %zu: no heap around its top", i);
		return;
	}
	g->heap_info = a->addr & 0xfff;
	first = a->addr & ~mask;
	heap = a->top & ~mask;
	for (unsigned n = 0;; n++) {
		struct glibc_segment s = { .arena = i, .has_top = n == 0 };
		if (g->nsegments > HEAPS_MAX || mem_read_some(g->t->mem, heap, info, sizeof info) < sizeof info ||
		    info[0] != a->addr || info[2] > mask + 1 || info[2] < 4096) {
			glibc_bad(g, "arena %zu: a heap that is none at 0x%llx", i, (unsigned long long)heap);
			return;
		}
		s.start = align_up(heap == first ? a->addr + g->layout->size : heap + g->heap_info);
		s.end = n == 0 ? a->top + a->top_size : heap + info[2];
		if (s.end <= s.start || s.end > heap + mask + 1) {
			glibc_bad(g, "arena %zu: its top lies outside of its heap", i);
			return;
		}
		add(g, s);
		glibc_range(g, heap, s.start - heap, ALLOCATOR_METADATA);
		g->a->metadata_bytes += s.start - heap;
		if (heap == first) return;
		heap = info[1];
		if (heap & mask) {
			glibc_bad(g, "arena %zu: its heaps are not aligned", i);
			return;
		}
	}
}

static int by_start(const void *a, const void *b)
{
	const struct glibc_segment *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

void glibc_segments(struct glibc *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->narenas; i++) {
		struct glibc_arena *a = &g->arena[i];
		if (!a->system_mem) continue;
		a->top_size = top_size(g, a);
		if (!a->top_size) glibc_bad(g, "arena %zu: its top at 0x%llx makes no sense", i, (unsigned long long)a->top);
		else if (i == 0) main_segment(g);
		else heap_segments(g, i);
	}
	if (g->nsegments) qsort(g->segment, g->nsegments, sizeof *g->segment, by_start);
	for (size_t i = 0; i < g->nsegments; i++) {
		if (kept && g->segment[i].start < g->segment[kept - 1].end) glibc_bad(g, "two arenas claim 0x%llx", (unsigned long long)g->segment[i].start);
		else g->segment[kept++] = g->segment[i];
	}
	g->nsegments = kept;
}
