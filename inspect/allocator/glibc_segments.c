/* glibc_segments.c: where an arena's chunks lie. The main arena grows with brk from mp_.sbrk_base to the end of its top chunk; every
 * other arena is a chain of heaps, mappings at aligned addresses that begin with a struct heap_info. */
#include "inspect/allocator/glibc.h"

#include <stdlib.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { HEAPS_MAX = 1 << 17 /* of 64 MiB */, TRIES = 4, PAGE = 4096 };

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

/* Size of the main arena's top chunk, which ends where a page does; 0 when it makes no sense. */
static uint64_t top_size(const struct glibc *g, const struct glibc_arena *a)
{
	struct glibc_chunk c;
	uint64_t size;

	if (a->top % GLIBC_ALIGN || mem_read_some(g->t->mem, a->top, &c, 16) < 16) return 0;
	size = c.size & ~(uint64_t)GLIBC_BITS;
	return size < GLIBC_FENCE || size > a->system_mem || (a->top + size) % PAGE ? 0 : size;
}

/* The same while the top moves: a few looks, each at where it is now. Then by arithmetic: what the arena got from the system ends with it. */
static uint64_t moving_top(struct glibc *g, struct glibc_arena *a)
{
	uint64_t size = top_size(g, a), word;

	for (unsigned n = 0; !size && n < TRIES; n++) {
		if (mem_read_some(g->t->mem, a->addr + g->layout->top, &word, 8) == 8) a->top = word;
		if (mem_read_some(g->t->mem, a->addr + g->layout->system_mem, &word, 8) == 8) a->system_mem = word;
		size = top_size(g, a);
	}
	if (size) return size;
	glibc_bad(g, "the main arena's top at 0x%llx makes no sense", (unsigned long long)a->top);
	if (!g->sbrk_base || a->top % GLIBC_ALIGN || a->top < g->sbrk_base || a->top - g->sbrk_base >= a->system_mem) return 0;
	return a->system_mem - (a->top - g->sbrk_base);
}

/* Beyond the end of the heap as the map has it, in nothing else: brk was called since the map was read. A heap that grows all the time is
   never caught between two such calls. */
static int has_grown(const struct glibc *g, uint64_t start, uint64_t at)
{
	const struct map *m = maps_find(&g->t->maps, start), *end = g->t->maps.map + g->t->maps.n;

	return m && !strcmp(m->path, "[heap]") && at >= m->end && (m + 1 == end || at < m[1].start);
}

static int is_there(const struct glibc *g, uint64_t start, uint64_t at)
{
	return target_is_anonymous(g->t, at) || has_grown(g, start, at);
}

static int main_segment(struct glibc *g)
{
	struct glibc_arena *a = &g->arena[0];
	struct glibc_segment s = { .has_top = 1 };

	if (!(a->top_size = moving_top(g, a))) return -1;
	s.end = a->top + a->top_size;
	/* the second by arithmetic: what the arena got from the system ends with its top */
	if (g->sbrk_base && g->sbrk_base <= a->top) s.start = align_up(g->sbrk_base);
	else if (a->system_mem <= s.end) s.start = align_up(s.end - a->system_mem);
	if (!s.start || !target_is_anonymous(g->t, s.start) || !is_there(g, s.start, a->top) || !is_there(g, s.start, s.end - 1)) {
		glibc_bad(g, "the main arena's memory is not where it says");
		return -1;
	}
	add(g, s);
	return 0;
}

/* The chain of heaps of arena i, newest first. The top reaches to the end of its heap: that stands still while the chunk's own size changes. */
static int heap_segments(struct glibc *g, size_t i)
{
	struct glibc_arena *a = &g->arena[i];
	uint64_t info[4], mask = 0, heap, first;

	for (const uint64_t *m = heap_max; *m && !mask; m++)
		if (mem_read_some(g->t->mem, a->top & ~(*m - 1), info, 8) == 8 && info[0] == a->addr && (a->top & ~(*m - 1)) < a->top) mask = *m - 1;
	if (!mask) {
		glibc_bad(g, "arena %zu: no heap around its top", i);
		return -1;
	}
	g->heap_info = a->addr & 0xfff;
	first = a->addr & ~mask;
	heap = a->top & ~mask;
	for (unsigned n = 0;; n++) {
		struct glibc_segment s = { .arena = i, .has_top = n == 0 };
		if (g->nsegments > HEAPS_MAX || mem_read_some(g->t->mem, heap, info, sizeof info) < sizeof info ||
		    info[0] != a->addr || info[2] > mask + 1 || info[2] < 4096) {
			glibc_bad(g, "arena %zu: a heap that is none at 0x%llx", i, (unsigned long long)heap);
			return -1;
		}
		s.start = align_up(heap == first ? a->addr + g->layout->size : heap + g->heap_info);
		s.end = heap + info[2];
		if (s.end <= s.start || !maps_find(&g->t->maps, s.end - 1) || (n == 0 && (a->top % GLIBC_ALIGN || a->top < s.start || a->top >= s.end))) {
			glibc_bad(g, "arena %zu: its top lies outside of its heap", i);
			return -1;
		}
		if (n == 0) a->top_size = s.end - a->top;
		add(g, s);
		glibc_range(g, heap, s.start - heap, ALLOCATOR_METADATA);
		g->a->metadata_bytes += s.start - heap;
		if (heap == first) return 0;
		heap = info[1];
		if (heap & mask) {
			glibc_bad(g, "arena %zu: its heaps are not aligned", i);
			return -1;
		}
	}
}

/* An arena whose chunks were not found: its memory by its counter, as far as it is mapped there. */
static void tell_arena(struct glibc *g, size_t i)
{
	const struct glibc_arena *a = &g->arena[i];
	uint64_t start = i ? a->addr & ~(uint64_t)(PAGE - 1) : g->sbrk_base;
	const struct map *m = start ? maps_find(&g->t->maps, start) : NULL;

	if (m) glibc_range(g, start, a->system_mem < m->end - start ? a->system_mem : m->end - start, ALLOCATOR_MANAGED);
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
		size_t before = g->nsegments;
		if (!a->system_mem) continue;
		a->unknown = (i ? heap_segments(g, i) : main_segment(g)) != 0;
		if (a->unknown && g->nsegments == before) tell_arena(g, i);
	}
	if (g->nsegments) qsort(g->segment, g->nsegments, sizeof *g->segment, by_start);
	for (size_t i = 0; i < g->nsegments; i++) {
		if (!kept || g->segment[i].start >= g->segment[kept - 1].end) g->segment[kept++] = g->segment[i];
		else {
			glibc_bad(g, "two arenas claim 0x%llx", (unsigned long long)g->segment[i].start);
			g->arena[g->segment[i].arena].unknown = 1;
		}
	}
	g->nsegments = kept;
}
