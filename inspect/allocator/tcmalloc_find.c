/* tcmalloc_find.c: where tcmalloc's state is, in a process without any symbols. The central lists are an array whose elements say their
 * numbers; the table of sizes is a rising run of numbers; and the map from pages to spans must lead to a span that a list has. */
#include "inspect/allocator/tcmalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/window.h"
#include "inspect/target/xalloc.h"

enum {
	CLASSES_MIN = 40,
	MAX_SIZE = 256 << 10,           /* of a class: the last one's */
	SHIFT_MIN = 12, SHIFT_MAX = 18,
	/* in a page heap, from the map's root back to its beginning */
	ROOT_IN_HEAP = 16 + (1 << 16) * 8, LOCK_IN_HEAP = 8,
};

struct find {
	const struct target *t;
	const struct target_region *region;
	struct window *w;
	uint64_t central, sizes, root, caches, page_shift, lock;
	unsigned nclasses, layout;
	int32_t size[TCMALLOC_CLASSES];
	uint64_t span, start;           /* a span that a list has, and its page */
};

unsigned tcmalloc_leaf_bits(unsigned page_shift)
{
	return (TCMALLOC_ADDRESS_BITS - page_shift + 1) / 2;
}

int tcmalloc_span_read(struct window *w, uint64_t addr, struct tcmalloc_span *s)
{
	char r[TCMALLOC_SPAN];

	if (addr % 8 || window_read(w, addr, r, sizeof r)) return -1;
	*s = (struct tcmalloc_span){ window_word(r, 0), window_word(r, 8), window_word(r, 16), window_word(r, 24), window_word(r, 32),
		window_quarter(r, 40), (uint8_t)r[42], (uint8_t)(r[43] & 3) };
	return 0;
}

/* Elements 1, 2, 3, …: the first has number 0, which says nothing. */
static int see_central(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		unsigned k = 1;
		uint64_t element = addr + i - TCMALLOC_LIST_CLASS;
		if (window_word(p, i) != 1) continue;
		while (k < TCMALLOC_CLASSES && window_u64(f->w, element + (uint64_t)(k - 1) * TCMALLOC_STRIDE + TCMALLOC_LIST_CLASS) == k) k++;
		if (k < CLASSES_MIN || window_u64(f->w, element - TCMALLOC_STRIDE + TCMALLOC_LIST_CLASS)) continue;
		f->central = element - TCMALLOC_STRIDE;
		f->nclasses = k;
		return 1;
	}
	return 0;
}

static int is_table(const char *p, unsigned n)
{
	if (window_half(p, 0) || window_half(p, 4) != 8) return 0;
	for (unsigned k = 1; k < n; k++)
		if (window_half(p, k * 4) % 8 || window_half(p, k * 4) <= window_half(p, k * 4 - 4) || window_half(p, k * 4) > MAX_SIZE) return 0;
	return window_half(p, n * 4 - 4) == MAX_SIZE;
}

static int see_sizes(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;
	size_t bytes = f->nclasses * sizeof *f->size;

	for (size_t i = 0; i + bytes + 4 <= n; i += 4) {
		if (!is_table(p + i, f->nclasses)) continue;
		f->sizes = addr + i;
		memcpy(f->size, p + i, bytes);
		return 1;
	}
	return 0;
}

/* Any span in a list, which must say the class that the list has. */
static int find_span(struct find *f)
{
	static const uint16_t heads[] = { TCMALLOC_LIST_EMPTY, TCMALLOC_LIST_NONEMPTY };

	for (unsigned k = 1; k < f->nclasses; k++)
		for (unsigned h = 0; h < 2; h++) {
			uint64_t head = f->central + (uint64_t)k * TCMALLOC_STRIDE + heads[h], next = window_u64(f->w, head + 16);
			struct tcmalloc_span s;
			if (next == head || tcmalloc_span_read(f->w, next, &s) || s.sizeclass != k || s.location != TCMALLOC_IN_USE || !s.length) continue;
			f->span = next;
			f->start = s.start;
			return 1;
		}
	return 0;
}

static int see_root(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t leaf = window_word(p, i);
		if (!leaf || leaf % 8 || !target_is_anonymous(f->t, leaf)) continue;
		for (unsigned shift = SHIFT_MIN; shift <= SHIFT_MAX; shift++) {
			unsigned bits = tcmalloc_leaf_bits(shift);
			uint64_t in_root = f->start >> bits << 3, in_leaf = (f->start & (((uint64_t)1 << bits) - 1)) << 3;
			if (addr + i < f->region->start + in_root || !target_is_anonymous(f->t, f->start << shift)) continue;
			if (!target_is_anonymous(f->t, leaf + in_leaf) || window_u64(f->w, leaf + in_leaf) != f->span) continue;
			f->root = addr + i - in_root;
			f->page_shift = shift;
			return 1;
		}
	}
	return 0;
}

static int is_cache(const struct find *f, uint64_t addr)
{
	char r[TCMALLOC_CLASSES * TCMALLOC_CACHE_LISTS];

	if (!addr || addr % 16 || !target_is_anonymous(f->t, addr) || window_half(&f->size[1], 0) != (uint32_t)window_u64(f->w, addr + TCMALLOC_CACHE_LISTS + 24)) return 0;
	if (window_read(f->w, addr, r, sizeof r)) return 0;
	for (unsigned k = 1; k < f->nclasses; k++)
		if ((int32_t)window_half(r, k * TCMALLOC_CACHE_LISTS + 24) != f->size[k]) return 0;
	return 1;
}

/* The head of the list: a cache, before which there is none. Before 2.16 a thread's identity and a flag stand where the links are now. */
static int see_caches(void *arg, uint64_t addr, const char *p, size_t n)
{
	static const uint64_t links[] = { TCMALLOC_CACHE_NEXT, TCMALLOC_CACHE_NEXT_OLD };
	struct find *f = arg;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t cache = window_word(p, i);
		if (!is_cache(f, cache)) continue;
		for (unsigned k = 0; k < 2; k++) {
			uint64_t next = window_u64(f->w, cache + links[k]), prev = window_u64(f->w, cache + links[k] + 8);
			if (k ? window_u64(f->w, cache + TCMALLOC_CACHE_NEXT + 8) > 1 : !f->lock) continue;
			if (prev || (next && (!is_cache(f, next) || window_u64(f->w, next + links[k] + 8) != cache))) continue;
			f->caches = addr + i;
			f->layout = !k ? TCMALLOC_NO_TID : f->lock ? TCMALLOC_LOCK_INSIDE : TCMALLOC_OLD;
			return 1;
		}
	}
	return 0;
}

uint64_t tcmalloc_cache_next(const struct allocator_found *f)
{
	return f->layout == TCMALLOC_NO_TID ? TCMALLOC_CACHE_NEXT : TCMALLOC_CACHE_NEXT_OLD;
}

/* Since 2.11 a page heap begins with its smallest span's length, and its lock. */
static void find_lock(struct find *f)
{
	uint64_t heap = f->root - ROOT_IN_HEAP, smallest = window_u64(f->w, heap);

	if (!f->root || !smallest || smallest & (smallest - 1) || smallest > 64 || (uint32_t)window_u64(f->w, heap + LOCK_IN_HEAP) > 2) return;
	f->lock = heap + LOCK_IN_HEAP;
	f->layout = TCMALLOC_LOCK_INSIDE;
}

static int find_in(struct find *f, struct allocator_found *out)
{
	static const char *const version[] = { "2.7 to 2.10", "2.11 to 2.15", "2.16 or later" };
	const char *base = strrchr(f->region->path, '/');

	if (!window_scan(f->t, f->region, 0, 8, see_central, f)) return 0;
	if (!window_scan(f->t, f->region, 0, TCMALLOC_CLASSES * 4 + 8, see_sizes, f)) return 0;
	if (find_span(f)) window_scan(f->t, f->region, 0, 8, see_root, f);
	find_lock(f);
	window_scan(f->t, f->region, 0, 8, see_caches, f);
	*out = (struct allocator_found){ .state = f->central, .layout = f->layout };
	out->extra[TCMALLOC_EXTRA_CLASSES] = f->nclasses;
	out->extra[TCMALLOC_EXTRA_SIZES] = f->sizes;
	out->extra[TCMALLOC_EXTRA_ROOT] = f->root;
	out->extra[TCMALLOC_EXTRA_CACHES] = f->caches;
	out->extra[TCMALLOC_EXTRA_PAGE] = f->page_shift;
	out->extra[TCMALLOC_EXTRA_LOCK] = f->lock ? f->lock : tcmalloc_exported_lock(f->t, f->w, f->region);
	if (f->caches || f->lock) snprintf(out->version, sizeof out->version, "%s", version[f->layout]);
	snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : f->region->path);
	snprintf(out->evidence, sizeof out->evidence, "%u numbered central lists, a table of their sizes%s%s", f->nclasses,
	         f->root ? ", a map of pages that leads to a list's span" : "; no span in them yet", f->caches ? ", threads' caches with the same sizes" : "");
	return 1;
}

size_t tcmalloc_find(const struct target *t, struct allocator_found *out, size_t max)
{
	struct target_region *region;
	size_t nregions = target_data_regions(t, &region), n = 0;
	struct window *w = window_open(t);

	for (size_t i = 0; i < nregions && n < max; i++) {
		struct find f = { .t = t, .w = w, .region = &region[i] };
		n += (size_t)find_in(&f, &out[n]);
	}
	window_close(w);
	free(region);
	return n;
}
