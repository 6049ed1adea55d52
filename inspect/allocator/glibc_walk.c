/* glibc_walk.c: goes over the chunks of each segment, header to header. A chunk is in use when the header behind it says so; of those,
 * the ones in a fastbin or a tcache are only waiting there, which the sorted list of specials tells. Neighbours of one kind are told as
 * one range. */
#include "inspect/allocator/glibc.h"

#include <stdlib.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { WINDOW_MIN = 4096, WINDOW_MAX = 256 << 10, SEARCH_MAX = 16 << 20, TRIES = 4, LOST_MAX = 64, CHAIN = 8 };

struct walk {
	struct glibc *g;
	const struct glibc_segment *seg;
	struct glibc_arena *arena;
	size_t special;                 /* the next one */
	/* what is being read */
	unsigned char *buf;
	uint64_t base;
	size_t len, window;
	/* what is being told */
	uint64_t start, bytes, chunks;
	enum allocator_range what;
};

/* The two words of a header. Reads on in larger and larger pieces as long as chunks follow closely, and in small ones where they are far
   apart: what lies inside of a large chunk is not looked at. */
static int header(struct walk *w, uint64_t at, uint64_t *prev_size, uint64_t *size)
{
	if (at < w->base || at - w->base + 16 > w->len) {
		if (w->len && at - w->base < w->len + 4096) w->window = w->window < WINDOW_MAX ? w->window * 2 : WINDOW_MAX;
		else w->window = WINDOW_MIN;
		size_t n = w->seg->end - at < w->window ? (size_t)(w->seg->end - at) : w->window;
		w->base = at;
		w->len = n >= 16 ? mem_read_some(w->g->t->mem, at, w->buf, n) : 0;
		if (w->len < 16) return -1;
	}
	*prev_size = glibc_u64(w->buf, (size_t)(at - w->base));
	*size = glibc_u64(w->buf, (size_t)(at - w->base) + 8);
	return 0;
}

/* What malloc_trim leaves of free neighbours: it joins them first, those of fastbins too, and keeps the pages that the ends lie on. */
static uint64_t pieces(uint64_t start, uint64_t bytes)
{
	enum { PAGE = 4096, CHUNK = 48 /* glibc, malloc/malloc.c: sizeof (struct malloc_chunk) */ };
	uint64_t first = (start + CHUNK + PAGE - 1) / PAGE * PAGE, last = (start + bytes) / PAGE * PAGE;

	return last > first ? bytes - (last - first) : bytes;
}

static void tell(struct walk *w)
{
	uint64_t heads = w->what == ALLOCATOR_LIVE ? w->chunks * GLIBC_HEADER : 0;

	/* headers first: the page that the range begins in is surely there */
	glibc_range(w->g, w->start, heads, ALLOCATOR_METADATA);
	glibc_range(w->g, w->start + heads, w->bytes - heads, w->what);
	if (w->what == ALLOCATOR_FREE) w->g->free_pieces += pieces(w->start, w->bytes);
	w->bytes = w->chunks = 0;
}

static void chunk(struct walk *w, uint64_t at, uint64_t size, int in_use)
{
	struct glibc *g = w->g;
	enum allocator_range what = in_use ? ALLOCATOR_LIVE : ALLOCATOR_FREE;

	while (w->special < g->nspecials && g->special[w->special].addr < at) w->special++;
	if (in_use && w->special < g->nspecials && g->special[w->special].addr == at) what = g->special[w->special].what;
	if (what == ALLOCATOR_LIVE) w->arena->live += size - GLIBC_HEADER;
	else if (what == ALLOCATOR_FREE) w->arena->free += size;
	else if (what == ALLOCATOR_CACHED) w->arena->cached += size;
	if (what == ALLOCATOR_METADATA) g->a->metadata_bytes += size;
	else glibc_count(g, size, what, 1);
	if (w->bytes && (what != w->what || w->start + w->bytes != at)) tell(w);
	if (!w->bytes) w->start = at;
	w->what = what;
	w->bytes += size;
	w->chunks++;
}

static int sane(const struct walk *w, uint64_t at, uint64_t size)
{
	return size >= GLIBC_MINSIZE && size % GLIBC_ALIGN == 0 && size <= w->seg->end - at;
}

/* The first address from which a few chunks follow: where the arena goes on behind memory that somebody else got by moving the break,
   or behind chunks that changed while they were read. */
static uint64_t find_chain(struct walk *w, uint64_t at)
{
	uint64_t stop = w->seg->end - at > SEARCH_MAX ? at + SEARCH_MAX : w->seg->end, prev, size;

	for (uint64_t try = at; try + GLIBC_MINSIZE <= stop; try += GLIBC_ALIGN) {
		uint64_t p = try;
		unsigned n = 0;
		while (!header(w, p, &prev, &size) && (size & GLIBC_PREV_INUSE || n) && sane(w, p, size & ~(uint64_t)GLIBC_BITS)) {
			if ((w->seg->has_top && p == w->arena->top) || ++n == CHAIN) return try;
			p += size & ~(uint64_t)GLIBC_BITS;
		}
	}
	return 0;
}

/* From `at` on it makes no sense, up to where it does again; 0: nowhere. What lies between is the arena's, and that is all that is known
   of it. */
static uint64_t lost(struct walk *w, uint64_t at, unsigned *times)
{
	uint64_t to = ++*times < LOST_MAX && w->seg->end - at > GLIBC_ALIGN ? find_chain(w, at + GLIBC_ALIGN) : 0;

	tell(w);
	glibc_bad(w->g, "arena %zu: no chunk at 0x%llx", w->seg->arena, (unsigned long long)at);
	glibc_range(w->g, at, (to ? to : w->seg->end) - at, ALLOCATOR_MANAGED);
	w->arena->lost += (to ? to : w->seg->end) - at;
	w->len = 0;
	return to;
}

/* A chunk of this size at `at`, by the header behind it. */
static int follows(struct walk *w, uint64_t at, uint64_t size, uint64_t *head)
{
	uint64_t prev;

	return sane(w, at, size) && at + size <= w->seg->end - 16 && !header(w, at + size, &prev, head) && (*head & GLIBC_PREV_INUSE || prev == size);
}

static void segment(struct walk *w)
{
	uint64_t at = w->seg->start, prev, head, next;
	unsigned tries = 0, times = 0;

	w->len = 0;
	if (header(w, at, &prev, &head)) head = 0;
	for (;;) {
		uint64_t size = head & ~(uint64_t)GLIBC_BITS, to;
		if (w->seg->has_top && at == w->arena->top) break;
		if (size == GLIBC_FENCE) {
			if (!w->seg->has_top) break;
			if ((to = at + 2 * GLIBC_FENCE) < w->seg->end && (to = find_chain(w, to)) && ++times < LOST_MAX) {
				tell(w);
				glibc_range(w->g, at, 2 * GLIBC_FENCE, ALLOCATOR_METADATA);
				at = to;
				if (!header(w, at, &prev, &head)) continue;
			}
		} else if (follows(w, at, size, &next)) {
			chunk(w, at, size, next & GLIBC_PREV_INUSE);
			at += size;
			head = next;
			continue;
		} else if (w->seg->has_top && size && size == w->seg->end - at) {
			/* the top has moved back since the arena was read */
			w->arena->top = at;
			w->arena->top_size = size;
			break;
		}
		/* it may have changed since this piece was read */
		w->len = 0;
		if (++tries < TRIES && !header(w, at, &prev, &head)) continue;
		if (!(at = lost(w, at, &times)) || header(w, at, &prev, &head)) {
			w->arena->unknown |= w->seg->has_top;
			return;
		}
		tries = 0;
	}
	tell(w);
	uint64_t rest = w->seg->end - at;
	if (w->seg->has_top) glibc_range(w->g, at, w->arena->top_size < rest ? w->arena->top_size : rest, ALLOCATOR_TRIMMABLE);
	else glibc_range(w->g, at, rest, ALLOCATOR_METADATA);
}

void glibc_walk(struct glibc *g)
{
	struct walk w = { .g = g, .buf = xmalloc(WINDOW_MAX) };

	for (size_t i = 0; i < g->nsegments; i++) {
		w.seg = &g->segment[i];
		w.arena = &g->arena[w.seg->arena];
		segment(&w);
	}
	for (size_t i = 0; i < g->narenas; i++)
		if (g->arena[i].lost > g->arena[i].system_mem / GLIBC_NEAR) g->arena[i].unknown = 1;
	free(w.buf);
}

void glibc_gaps(struct glibc *g)
{
	size_t k = 0;

	for (size_t i = 0; i < g->nsegments; i++) {
		const struct glibc_segment *s = &g->segment[i];
		struct glibc_arena *a = &g->arena[s->arena];
		uint64_t at = s->start, end = s->has_top ? a->top : s->end;
		while (k < g->nspecials && g->special[k].addr < at) k++;
		for (; k < g->nspecials && g->special[k].addr < end; k++) {
			const struct glibc_special *x = &g->special[k];
			if (x->addr < at || x->size > end - x->addr) {
				glibc_bad(g, "arena %zu: a freed chunk overlaps at 0x%llx", s->arena, (unsigned long long)x->addr);
				continue;
			}
			glibc_range(g, at, x->addr - at, ALLOCATOR_LIVE);
			a->live += x->addr - at;
			glibc_range(g, x->addr, x->size, x->what);
			if (x->what == ALLOCATOR_FREE) a->free += x->size;
			else if (x->what == ALLOCATOR_CACHED) a->cached += x->size;
			else g->a->metadata_bytes += x->size;
			if (x->what != ALLOCATOR_METADATA) glibc_count(g, x->size, x->what, 1);
			at = x->addr + x->size;
		}
		glibc_range(g, at, end - at, ALLOCATOR_LIVE);
		a->live += end - at;
		if (s->has_top) glibc_range(g, end, a->top_size, ALLOCATOR_TRIMMABLE);
	}
}

void glibc_sums(struct glibc *g)
{
	for (size_t i = 0; i < g->nsegments; i++) {
		const struct glibc_segment *s = &g->segment[i];
		struct glibc_arena *a = &g->arena[s->arena];
		uint64_t end = s->has_top ? a->top : s->end;
		glibc_range(g, s->start, end - s->start, ALLOCATOR_MANAGED);
		if (s->has_top) glibc_range(g, end, a->top_size, ALLOCATOR_TRIMMABLE);
	}
}
