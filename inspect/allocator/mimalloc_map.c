/* mimalloc_map.c: mimalloc 3.x: pages, by the map from slices to their records. The map is found by a pointer in the library's data: in what
 * it leads to there must be records of pages that contain the addresses that lead to them. */
#include "inspect/allocator/mimalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	CONFIRMED = 1, SUB_SHIFT = 29,  /* of an address */
	START = 48,                     /* in a record: a pointer, since 3.4 an offset in words */
	ARENA_OLD = 96, ARENA = 88,     /* in a record: the arena it is of; since 3.4 */
	ARENA_SLICES_OLD = 32, ARENA_SLICES = 40,       /* in an arena: its slices, then those it needs itself; since 3.2 */
	OWNER_BITS = 3,
};

/* The record at addr, of the page that begins at `first`: 0, or -1 when it makes no sense. */
static int read_page(struct window *w, uint64_t addr, uint64_t first, struct mimalloc_page *p, int *by_offset)
{
	char r[MIMALLOC_RECORD];

	if (addr % 8 || window_read(w, addr, r, sizeof r)) return -1;
	*p = (struct mimalloc_page){ .start = first, .thread = window_word(r, 0) & ~(uint64_t)OWNER_BITS, .free = window_word(r, 8), .used = window_quarter(r, 16),
		.capacity = window_quarter(r, 18), .reserved = window_quarter(r, 20), .local = window_word(r, 24), .remote = window_word(r, 32) & ~(uint64_t)3,
		.block_size = window_word(r, 40), .blocks = window_word(r, START) };
	*by_offset = 0;
	if (p->blocks < first || p->blocks - first >= MIMALLOC_SLICE) {
		p->blocks = addr + (uint64_t)window_half(r, START) * 8;
		*by_offset = 1;
	}
	if (p->used > p->capacity || p->capacity > p->reserved || !p->reserved || p->block_size < 8 || p->block_size % 8 || p->block_size >> 40) return -1;
	return p->blocks >= first && p->blocks - first < (uint64_t)MIMALLOC_SLICE * 16 ? 0 : -1;
}

static int is_ours(const struct map *m)
{
	return !m->inode && !m->shared && m->read && m->write && !(m->end >> 47);
}

/* One part of the map, for the slices of [start, end): calls fn for each page that begins there, until it returns non-zero. */
struct slices { const struct target *t; struct window *w; uint64_t root; uint64_t *sub; int (*fn)(void *arg, uint64_t record, uint64_t start, uint64_t bytes); void *arg; uint64_t record, first, last; };

static int flush(struct slices *s)
{
	uint64_t record = s->record;

	s->record = 0;
	return record ? s->fn(s->arg, record, s->first, s->last + MIMALLOC_SLICE - s->first) : 0;
}

static int see_part(struct slices *s, uint64_t start, uint64_t end)
{
	uint64_t sub = window_u64(s->w, s->root + (start >> SUB_SHIFT) * 8), index = start / MIMALLOC_SLICE % MIMALLOC_SUB, n = (end - start + MIMALLOC_SLICE - 1) / MIMALLOC_SLICE;

	if (!sub || sub % 8 || !target_is_anonymous(s->t, sub)) return 0;
	if (n > MIMALLOC_SUB - index) n = MIMALLOC_SUB - index;
	n = mem_read_some(s->t->mem, sub + index * 8, s->sub, n * 8) / 8;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = start + i * MIMALLOC_SLICE;
		if (s->sub[i] != s->record && flush(s)) return 1;
		if (!s->sub[i]) continue;
		if (!s->record) s->first = at;
		s->record = s->sub[i];
		s->last = at;
	}
	return 0;
}

static int each_page(struct slices *s)
{
	int stop = 0;

	s->sub = xmalloc(MIMALLOC_SUB * sizeof *s->sub);
	for (size_t i = 0; i < s->t->maps.n && !stop; i++) {
		const struct map *m = &s->t->maps.map[i];
		if (!is_ours(m) || !target_is_anonymous(s->t, m->start)) continue;
		for (uint64_t at = m->start & ~(uint64_t)(MIMALLOC_SLICE - 1); at < m->end && !stop;) {
			uint64_t next = ((at >> SUB_SHIFT) + 1) << SUB_SHIFT;
			stop = see_part(s, at, next < m->end ? next : m->end);
			at = next;
		}
		if (!stop) stop = flush(s);
	}
	free(s->sub);
	return stop;
}

struct find { const struct target *t; struct window *w; uint64_t root, at; unsigned confirmed; };

static int confirm(void *arg, uint64_t record, uint64_t start, uint64_t bytes)
{
	struct find *f = arg;
	struct mimalloc_page p;
	int by_offset;

	if (!target_is_anonymous(f->t, record) || read_page(f->w, record, start, &p, &by_offset) || !p.used) return 1;
	/* its blocks lie in its slices, but for a huge one, not all of whose are in the map: a word in any heap may lead to what looks like the rest */
	if (p.reserved > 1 && p.block_size > (bytes + MIMALLOC_SLICE) / p.reserved) return 1;
	return ++f->confirmed >= CONFIRMED + 1;
}

static int see_root(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t root = window_word(p, i);
		const struct map *m;
		struct slices s = { .t = f->t, .w = f->w, .root = root, .fn = confirm, .arg = f };
		if (!root || root % 4096 || !target_is_anonymous(f->t, root)) continue;
		/* it has room for all parts, or for those below its own address */
		m = maps_find(&f->t->maps, root);
		if (!m || m->end - root < (root >> SUB_SHIFT) * 8) continue;
		f->confirmed = 0;
		each_page(&s);
		if (f->confirmed < CONFIRMED) continue;
		f->root = root;
		f->at = addr + i;
		return 1;
	}
	return 0;
}

size_t mimalloc_map_find(const struct target *t, struct window *w, struct allocator_found *out)
{
	struct target_region *region;
	size_t nregions = target_data_regions(t, &region), found = 0;
	struct find f = { .t = t, .w = w };

	for (size_t i = 0; i < nregions && !found; i++) {
		const char *base = strrchr(region[i].path, '/');
		if (!window_scan(t, &region[i], 0, 8, see_root, &f)) continue;
		*out = (struct allocator_found){ .state = f.at, .layout = MIMALLOC_MAP };
		snprintf(out->version, sizeof out->version, "3.x");
		snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : region[i].path);
		snprintf(out->evidence, sizeof out->evidence, "a map of pages at 0x%" PRIx64 " whose records contain the addresses that lead to them", f.root);
		found = 1;
	}
	free(region);
	return found;
}

static void remember_arena(struct mimalloc *m, uint64_t arena, uint64_t used)
{
	for (size_t i = 0; i < m->narenas; i++)
		if (m->arena[i].addr == arena) {
			if (used > m->arena[i].used) m->arena[i].used = used;
			return;
		}
	if (m->narenas < sizeof m->arena / sizeof *m->arena) m->arena[m->narenas++] = (struct mimalloc_arena){ arena, used };
}

static int walk_page(void *arg, uint64_t record, uint64_t start, uint64_t bytes)
{
	struct mimalloc *m = arg;
	struct mimalloc_page p;
	uint64_t all;
	int by_offset;

	if (!target_is_anonymous(m->t, record) || read_page(m->w, record, start, &p, &by_offset)) {
		mimalloc_bad(m, "the record of the page at 0x%" PRIx64 " makes no sense", start);
		mimalloc_tell(m, start, bytes, ALLOCATOR_MANAGED);
		return 0;
	}
	/* of a large page only the first few MiB are in the map */
	all = p.blocks + p.block_size * p.reserved - start;
	p.bytes = bytes > all ? bytes : all;
	if (record < start || record >= start + bytes) mimalloc_tell(m, record, by_offset ? 112 : 120, ALLOCATOR_METADATA);
	else mimalloc_tell(m, start, p.blocks - start, ALLOCATOR_METADATA);
	mimalloc_page_see(m, &p);
	uint64_t arena = window_u64(m->w, record + (by_offset ? ARENA : ARENA_OLD));
	if (arena && arena % MIMALLOC_SLICE == 0 && arena < start && target_is_anonymous(m->t, arena)) remember_arena(m, arena, start + p.bytes);
	return 0;
}

/* An arena begins with what it needs for itself; what no page has, up to the last page, is free; what is behind was never used. */
static void tell_arena(struct mimalloc *m, uint64_t arena, uint64_t used)
{
	static const uint16_t where[] = { ARENA_SLICES, ARENA_SLICES_OLD };

	for (unsigned i = 0; i < 2; i++) {
		uint64_t n = window_u64(m->w, arena + where[i]), own = window_u64(m->w, arena + where[i] + 8);
		const struct map *map = maps_find(&m->t->maps, arena);
		if (!map || !n || !own || own >= n || n > (map->end - arena) / MIMALLOC_SLICE || used - arena > n * MIMALLOC_SLICE) continue;
		m->metadata += own * MIMALLOC_SLICE;
		mimalloc_tell(m, arena, own * MIMALLOC_SLICE, ALLOCATOR_METADATA);
		mimalloc_tell(m, arena, used - arena, ALLOCATOR_TRIMMABLE);
		return;
	}
}

/* The map itself. */
static void tell_map(struct mimalloc *m, uint64_t root)
{
	const struct map *map = maps_find(&m->t->maps, root);
	uint64_t n = map && map->end - root < (uint64_t)MIMALLOC_ROOT * 8 ? map->end - root : (uint64_t)MIMALLOC_ROOT * 8;

	if (!map) return;
	mimalloc_tell(m, root, n, ALLOCATOR_METADATA);
	for (size_t i = 0; i < m->t->maps.n; i++) {
		const struct map *o = &m->t->maps.map[i];
		if (!is_ours(o)) continue;
		for (uint64_t k = o->start >> SUB_SHIFT; k <= (o->end - 1) >> SUB_SHIFT; k++) {
			uint64_t sub = window_u64(m->w, root + k * 8);
			if (sub && target_is_anonymous(m->t, sub)) mimalloc_tell(m, sub, MIMALLOC_SUB * 8, ALLOCATOR_METADATA);
		}
	}
}

void mimalloc_map_walk(struct mimalloc *m)
{
	struct slices s = { .t = m->t, .w = m->w, .root = window_u64(m->w, m->found->state), .fn = walk_page, .arg = m };

	each_page(&s);
	for (size_t i = 0; i < m->narenas; i++) tell_arena(m, m->arena[i].addr, m->arena[i].used);
	tell_map(m, s.root);
}
