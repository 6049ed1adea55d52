/* jemalloc_tcache.c: what threads keep in their tcaches: freed by the program, in use for the arenas. An arena links what describes the tcaches
 * of its threads: link, the bins (before 5.3 those of large classes apart), and the arena again, by which it is known. */
#include "inspect/allocator/jemalloc.h"

#include <inttypes.h>
#include <stdio.h>

#include "inspect/allocator/window.h"

enum {
	CACHE_BIN = 24,
	CACHE_BINS_MAX = 76,            /* with the largest tcache_max */
	CACHED_MAX = 8192,              /* in one bin: 16 bits of address tell its ends */
	THREADS_MAX = 1 << 16,
	TLS_MAX = 64 << 10,             /* below its thread pointer a thread has its tcache */
	BATCH = 512,
	FIRST_ROOM = 200 * 8,           /* of the first bin, where its beginning cannot be seen */
	JUNK = 8,                       /* before the first bin and behind the last */
};

struct cache { uint64_t next, bins, bins_large; };

static int read_cache(const struct jemalloc *j, uint64_t addr, uint64_t arena, struct cache *c)
{
	uint64_t r[5];

	if (!addr || addr % 8 || window_read(j->w, addr, r, sizeof r)) return -1;
	*c = (struct cache){ r[0], r[2], j->layout->cache_by_count ? r[3] : 0 };
	return c->next && c->bins && r[j->layout->cache_by_count ? 4 : 3] == arena ? 0 : -1;
}

/* From an arena to the head of its list; 0 when no thread of it has a tcache. */
static uint64_t find_list(const struct jemalloc *j)
{
	for (size_t i = 0; i < j->narenas; i++) {
		const struct jemalloc_arena *a = &j->arena[i];
		for (uint64_t off = 16; a->threads && off < j->found->extra[JEMALLOC_EXTRA_BINS]; off += 8) {
			uint64_t p = window_u64(j->w, a->addr + off);
			struct cache c, next;
			if (!p || !target_is_anonymous(j->t, p) || read_cache(j, p, a->addr, &c)) continue;
			if (!read_cache(j, c.next, a->addr, &next)) return off;
		}
	}
	return 0;
}

/* Where the objects of one bin are: n pointers at *at. -1: this is no bin. */
static int bin_content(const struct jemalloc *j, const char *r, uint64_t *at, uint64_t *n, uint64_t *start, uint64_t *end)
{
	if (j->layout->cache_by_count) {
		int32_t count = (int32_t)window_half(r, 4);
		*end = window_word(r, 16);
		if (count < 0 || count > CACHED_MAX || *end % 8 || !target_is_anonymous(j->t, *end)) return -1;
		*n = (uint64_t)count;
		*at = *start = *end - 8 * *n;
		return 0;
	}
	*at = window_word(r, 0);
	uint16_t low = (uint16_t)*at, full = window_quarter(r, 18), empty = window_quarter(r, 20);
	uint16_t used = (uint16_t)(empty - low), room = (uint16_t)(empty - full);
	if (!*at || *at % 8 || used % 8 || room % 8 || used > room || !target_is_anonymous(j->t, *at)) return -1;
	*n = used / 8;
	*end = *at + used;
	*start = *end - room;
	return 0;
}

static void tell_objects(const struct jemalloc *j, uint64_t at, uint64_t n, uint64_t size)
{
	uint64_t p[BATCH];

	while (j->sink && n) {
		size_t part = n < BATCH ? (size_t)n : BATCH;
		if (window_read(j->w, at, p, part * 8)) return;
		for (size_t i = 0; i < part; i++)
			if (target_is_anonymous(j->t, p[i])) j->sink->range(j->sink, p[i], size, ALLOCATOR_CACHED);
		at += part * 8;
		n -= part;
	}
}

/* What one tcache has. */
struct content { uint64_t bytes, objects, start, first_end, end; };

/* The bins from `first` on, as many as there are: their stacks lie one behind the other. */
static void see_bins(struct jemalloc *j, uint64_t bins, unsigned first, unsigned last, struct content *c)
{

	for (unsigned i = first; i < last; i++) {
		char r[CACHE_BIN];
		uint64_t at, n, start, end;
		if (window_read(j->w, bins + (i - first) * CACHE_BIN, r, sizeof r) || bin_content(j, r, &at, &n, &start, &end)) {
			if (i < JEMALLOC_BINS) jemalloc_bad(j, "class %u of the tcache at 0x%" PRIx64 " makes no sense", i, bins);
			break;
		}
		if (c->end && (j->layout->cache_by_count ? end <= c->end || end - c->end > CACHED_MAX * 8 : start != c->end)) break;
		if (!c->end) c->start = start, c->first_end = end;
		c->end = end;
		j->count[i].cached += n;
		c->bytes += n * jemalloc_size(i);
		c->objects += n;
		tell_objects(j, at, n, jemalloc_size(i));
	}
}

/* The stacks are a block of jemalloc's own heap: metadata, though an arena handed it out. */
static void give_stacks(struct jemalloc *j, struct jemalloc_arena *arena, const struct content *c)
{
	int seen = !j->layout->cache_by_count;  /* where the first begins; else its end is known */
	uint64_t start = seen ? c->start - JUNK : c->first_end - FIRST_ROOM, n = c->end + (seen ? JUNK : 0) - start;

	if (!c->end) return;
	j->count[jemalloc_szind(n)].own++;
	arena->own += jemalloc_size(jemalloc_szind(n));
	if (j->sink) j->sink->range(j->sink, start, n, ALLOCATOR_METADATA);
}

/* The thread in whose static memory the tcache lies. */
static void give_thread(struct jemalloc *j, const struct jemalloc_arena *arena, uint64_t bins, const struct content *c)
{
	const struct target_thread *best = NULL;
	uint64_t nearest = TLS_MAX;

	for (size_t i = 0; i < j->t->nthreads; i++) {
		uint64_t tp = target_thread_pointer(j->t, &j->t->thread[i]);
		if (!tp || tp < bins || tp - bins >= nearest) continue;
		nearest = tp - bins;
		best = &j->t->thread[i];
	}
	if (!best) return;
	struct heap_thread *th = heap_thread_of(j->a, best->tid);
	snprintf(th->name, sizeof th->name, "%.15s", best->name);
	snprintf(th->arena, sizeof th->arena, "arena %u", arena->index);
	th->cached += c->bytes;
	th->cached_objects += c->objects;
}

static void see_arena(struct jemalloc *j, struct jemalloc_arena *arena, uint64_t list)
{
	uint64_t head = window_u64(j->w, arena->addr + list), at = head, steps = 0;

	while (at) {
		struct cache c;
		struct content content = { 0 };
		if (read_cache(j, at, arena->addr, &c) || steps++ > THREADS_MAX) {
			jemalloc_bad(j, "the list of tcaches of arena %u is broken at 0x%" PRIx64, arena->index, at);
			return;
		}
		see_bins(j, c.bins, 0, c.bins_large ? JEMALLOC_BINS : CACHE_BINS_MAX, &content);
		if (c.bins_large) see_bins(j, c.bins_large, JEMALLOC_BINS, CACHE_BINS_MAX, &content);
		give_stacks(j, arena, &content);
		give_thread(j, arena, c.bins, &content);
		arena->cached += content.bytes;
		j->tcaches++;
		if ((at = c.next) == head) break;
	}
}

void jemalloc_tcaches(struct jemalloc *j)
{
	uint64_t list = find_list(j);

	for (size_t i = 0; list && i < j->narenas; i++) see_arena(j, &j->arena[i], list);
	j->tcaches_known = list != 0;
}
