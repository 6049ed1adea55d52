/* mimalloc_segment.c: mimalloc 2.x: segments, found by looking at each address that could hold one, and their pages. */
#include "inspect/allocator/mimalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	ALIGN_MIN = 8 << 20,
	HEADER = 384, ENTRIES_MAX = 1024, INFO_MAX = 32, SLICE_MAX = 96,
	LISTS_MAX = 1 << 20,            /* blocks in lists of heaps */
	PLACES_OF_MAP = 64, PLACES = 8192,      /* looked at to find one: in one mapping, in all */
	PLACES_MAX = 1 << 22,           /* looked at to find all */
	HUGE_SIZE = 1 << 31,            /* in 32 bits: it is as large as the page */
};

const struct mimalloc_segments mimalloc_segments[] = {
	{ "2.1.9 to 2.4", 32 << 20, 224, 248, 256, 264, 272, 280, 288, 96, 8, 1 },
	{ "2.1.4 to 2.1.7", 32 << 20, 216, 224, 232, 240, 248, 256, 264, 96, 8, 1 },
	{ "2.0.7 to 2.1.2", 32 << 20, 216, 224, 232, 240, 248, 256, 264, 80, 2840, 0 },
	{ "2.0.1 to 2.0.6", 64 << 20, 320, 328, 336, 344, 360, 352, 368, 80, 2840, 0 },
	{ "2.0.0", 8 << 20, 80, 88, 96, 104, 120, 112, 128, 80, 2840, 0 },
};

struct segment { uint64_t addr, cookie, slices, info, entries, thread; };

static int is_segment(struct window *w, const struct mimalloc_segments *l, uint64_t addr, struct segment *s)
{
	char h[HEADER];

	if (window_read(w, addr, h, sizeof h)) return 0;
	*s = (struct segment){ addr, window_word(h, l->cookie) ^ addr, window_word(h, l->slices_used), window_word(h, l->info_slices), window_word(h, l->entries), window_word(h, l->thread) };
	if (!s->cookie || window_half(h, l->kind) > 1 || !s->info || s->info > INFO_MAX || s->entries < s->info || s->entries > ENTRIES_MAX + 1) return 0;
	return s->slices >= s->entries && s->slices >> 32 == 0 && window_half(h, l->slice) == s->info && !window_half(h, l->slice + 4);
}

/* The records of slices lead from page to page, and exactly to the end; a huge block may be longer than there are records. */
static int leads_to_end(struct window *w, const struct mimalloc_segments *l, const struct segment *s)
{
	uint64_t i = 0;

	while (i < s->entries) {
		uint64_t v = window_u64(w, s->addr + l->slice + i * l->slice_size);
		if (!(uint32_t)v || v >> 32) return 0;
		i += (uint32_t)v;
	}
	return i == s->entries || i == s->slices;
}

/* Calls fn for each address in private anonymous memory that a segment could begin at, until it returns non-zero. */
static int each_place(const struct target *t, uint64_t align, uint64_t of_map, uint64_t in_all, int (*fn)(void *arg, uint64_t addr), void *arg)
{
	for (size_t i = 0; i < t->maps.n; i++) {
		const struct map *m = &t->maps.map[i];
		uint64_t at = (m->start + align - 1) & ~(align - 1), n = 0;
		if (m->inode || m->shared || !m->read || !m->write || m->end >> 47 || !target_is_anonymous(t, m->start)) continue;
		for (; at < m->end && m->end - at > HEADER && n < of_map && in_all; at += align, n++, in_all--)
			if (fn(arg, at)) return 1;
	}
	return 0;
}

struct find { const struct target *t; struct window *w; const struct mimalloc_segments *layout; struct segment found; uint64_t cookie, at; };

static int try_place(void *arg, uint64_t addr)
{
	struct find *f = arg;

	for (unsigned k = 0; k < MIMALLOC_SEGMENTS; k++) {
		f->layout = &mimalloc_segments[k];
		if (addr % f->layout->align == 0 && is_segment(f->w, f->layout, addr, &f->found) && leads_to_end(f->w, f->layout, &f->found)) return 1;
	}
	return 0;
}

static int see_cookie(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	for (size_t i = 0; i + 8 <= n; i += 8)
		if (window_word(p, i) == f->cookie) {
			f->at = addr + i;
			return 1;
		}
	return 0;
}

size_t mimalloc_segment_find(const struct target *t, struct window *w, struct allocator_found *out)
{
	struct find f = { .t = t, .w = w };
	struct target_region *region;
	size_t nregions, found = 0;

	if (!each_place(t, ALIGN_MIN, PLACES_OF_MAP, PLACES, try_place, &f)) return 0;
	nregions = target_data_regions(t, &region);
	f.cookie = f.found.cookie;
	for (size_t i = 0; i < nregions && !found; i++) {
		const char *base = strrchr(region[i].path, '/');
		if (!window_scan(t, &region[i], 0, 8, see_cookie, &f)) continue;
		*out = (struct allocator_found){ .state = f.at, .layout = (unsigned)(f.layout - mimalloc_segments) };
		out->extra[MIMALLOC_EXTRA_COOKIE] = f.cookie;
		snprintf(out->version, sizeof out->version, "%s", f.layout->version);
		snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : region[i].path);
		snprintf(out->evidence, sizeof out->evidence, "a segment at 0x%" PRIx64 " that has its own address xored with a number in the library's data", f.found.addr);
		found = 1;
	}
	free(region);
	return found;
}

static void read_page(const struct mimalloc *m, const struct segment *s, const char *r, uint64_t index, struct mimalloc_page *p)
{
	uint64_t count = window_half(r, 0);

	*p = (struct mimalloc_page){ .start = s->addr + index * MIMALLOC_SLICE, .bytes = count * MIMALLOC_SLICE, .thread = s->thread,
		.capacity = window_quarter(r, 10), .reserved = window_quarter(r, 12), .free = window_word(r, 16) };
	if (m->layout->has_start) {
		p->local = window_word(r, 24);
		p->used = window_quarter(r, 32);
		p->block_size = window_word(r, 40);
		p->blocks = window_word(r, 48);
		p->remote = window_word(r, 56) & ~(uint64_t)3;
		p->heap = window_word(r, 64);
		return;
	}
	p->used = window_half(r, 24);
	p->block_size = window_half(r, 28) >= (uint32_t)HUGE_SIZE ? p->bytes : window_half(r, 28);
	p->local = window_word(r, 32);
	p->remote = window_word(r, 40) & ~(uint64_t)3;
	p->heap = window_word(r, 48);
}

static int is_page(const struct mimalloc_page *p)
{
	if (p->used > p->capacity || p->capacity > p->reserved || !p->reserved || p->block_size < 8 || p->block_size % 8) return 0;
	if (p->block_size * p->reserved > p->bytes && !(p->reserved == 1 && p->block_size <= p->bytes + MIMALLOC_SLICE)) return 0;
	return !p->blocks || (p->blocks >= p->start && p->blocks - p->start <= p->bytes);
}

static int walk_segment(void *arg, uint64_t addr)
{
	struct mimalloc *m = arg;
	const struct mimalloc_segments *l = m->layout;
	struct segment s;
	uint64_t i, info;

	if (!is_segment(m->w, l, addr, &s) || s.cookie != m->found->extra[MIMALLOC_EXTRA_COOKIE]) return 0;
	info = s.info * MIMALLOC_SLICE;
	m->metadata += info;
	mimalloc_tell(m, addr, info, ALLOCATOR_METADATA);
	for (i = s.info; i < s.entries;) {
		char r[SLICE_MAX];
		struct mimalloc_page p;
		if (window_read(m->w, addr + l->slice + i * l->slice_size, r, l->slice_size) || !window_half(r, 0) || window_half(r, 4)) {
			mimalloc_bad(m, "slice %" PRIu64 " of the segment at 0x%" PRIx64 " makes no sense", i, addr);
			mimalloc_tell(m, addr + i * MIMALLOC_SLICE, (s.entries - i) * MIMALLOC_SLICE, ALLOCATOR_MANAGED);
			return 0;
		}
		read_page(m, &s, r, i, &p);
		if (i + window_half(r, 0) > s.slices) p.bytes = (s.slices - i) * MIMALLOC_SLICE;
		if (!p.block_size) {
			m->unused_bytes += p.bytes;
			mimalloc_tell(m, p.start, p.bytes, ALLOCATOR_TRIMMABLE);
		} else if (is_page(&p)) mimalloc_page_see(m, &p);
		else {
			mimalloc_bad(m, "the page at 0x%" PRIx64 " makes no sense", p.start);
			mimalloc_tell(m, p.start, p.bytes, ALLOCATOR_MANAGED);
		}
		i += window_half(r, 0);
	}
	return 0;
}

/* The page of a block, by the records of its segment; 0 bytes when there is none. */
static void page_of(struct mimalloc *m, uint64_t block, struct mimalloc_page *p)
{
	const struct mimalloc_segments *l = m->layout;
	uint64_t addr = block & ~(uint64_t)(l->align - 1), index = (block - addr) / MIMALLOC_SLICE;
	struct segment s;
	char r[SLICE_MAX];

	*p = (struct mimalloc_page){ 0 };
	if (!is_segment(m->w, l, addr, &s) || s.cookie != m->found->extra[MIMALLOC_EXTRA_COOKIE] || index >= s.entries) return;
	if (window_read(m->w, addr + l->slice + index * l->slice_size, r, l->slice_size)) return;
	if (window_half(r, 4) % l->slice_size || window_half(r, 4) / l->slice_size > index) return;
	index -= window_half(r, 4) / l->slice_size;
	if (window_read(m->w, addr + l->slice + index * l->slice_size, r, l->slice_size)) return;
	read_page(m, &s, r, index, p);
	if (!p->block_size || !is_page(p)) p->bytes = 0;
}

/* Blocks of full pages that other threads freed wait in the owner's heap. */
static void heap_list(struct mimalloc *m, uint64_t heap)
{
	uint64_t at = window_u64(m->w, heap + m->layout->delayed), n = 0;

	for (; at && !m->encoded; at = window_u64(m->w, at)) {
		struct mimalloc_page p;
		page_of(m, at, &p);
		if (!p.bytes || n++ > LISTS_MAX) {
			mimalloc_bad(m, "the list of freed blocks of the heap at 0x%" PRIx64 " is broken", heap);
			return;
		}
		if (mimalloc_page_unuse(m, p.block_size, p.thread, 1)) return;
	}
}

void mimalloc_segment_walk(struct mimalloc *m)
{
	each_place(m->t, m->layout->align, PLACES_MAX, PLACES_MAX, walk_segment, m);
	for (size_t i = 0; i < m->nheaps; i++) heap_list(m, m->heap[i]);
}
