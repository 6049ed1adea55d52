/* musl_ranges.c: tells a sink what every byte of a mallocng heap is, from the metas alone. A slot that holds a nested group is not told as a
 * slot: the group tells of it. Which slots these are is not in the metas, so the groups that may hold others (of the classes that are known
 * to, a few per cent of all) are kept, 24 bytes each, and looked up by address. */
#include "inspect/allocator/musl.h"

#include <stdlib.h>

#include "inspect/target/xalloc.h"

enum { KEPT_MAX = 4 << 20 };            /* 96 MiB; groups beyond it are told as managed, without what is in them */

struct kept { uint64_t mem; uint32_t free, nested; uint32_t mapped_pages; uint8_t sizeclass, slots; };
_Static_assert(sizeof(struct kept) == 24, "kept");

struct telling {
	struct allocator_sink *sink;
	struct kept *kept; size_t n, cap, last;
	const struct musl_totals *totals;
	uint64_t orphans;
	int overflowed;
};

static void tell(struct telling *t, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	if (bytes) t->sink->range(t->sink, start, bytes, what);
}

/* Header, slots in runs, and the slack at the end of a mapping. */
static void tell_slots(struct telling *t, uint64_t mem, uint64_t stride, uint32_t slots, uint32_t free, uint32_t skip, uint64_t mapped)
{
	uint64_t at = mem + MUSL_UNIT;

	tell(t, mem, MUSL_UNIT, ALLOCATOR_METADATA);
	for (uint32_t i = 0, j; i < slots; i = j) {
		uint32_t kind = (free >> i & 1) | (skip >> i & 1) << 1;
		for (j = i + 1; j < slots && ((free >> j & 1) | (skip >> j & 1) << 1) == kind; j++);
		if (kind < 2) tell(t, at + i * stride, (j - i) * stride, kind ? ALLOCATOR_FREE : ALLOCATOR_LIVE);
	}
	if (mapped) tell(t, at + slots * stride, mapped - MUSL_UNIT - slots * stride, ALLOCATOR_METADATA);
}

static int may_hold(const struct telling *t, const struct musl_group *g)
{
	return !g->single && t->totals->class[g->sizeclass].containers;
}

static void keep(struct telling *t, const struct musl_group *g)
{
	if (t->n == KEPT_MAX) {
		t->overflowed = 1;
		return;
	}
	if (t->n == t->cap) t->kept = xreallocarray(t->kept, t->cap = t->cap ? t->cap * 2 : 256, sizeof *t->kept);
	t->kept[t->n++] = (struct kept){ g->mem, g->free, 0, (uint32_t)(g->mapped / MUSL_PAGE), g->sizeclass, (uint8_t)g->slots };
}

static int by_mem(const void *a, const void *b)
{
	uint64_t x = ((const struct kept *)a)->mem, y = ((const struct kept *)b)->mem;

	return (x > y) - (x < y);
}

/* A group read twice, because its meta moved while we read, counts once. */
static void sort(struct telling *t)
{
	size_t n = 0;

	if (t->n) qsort(t->kept, t->n, sizeof *t->kept, by_mem);
	for (size_t i = 0; i < t->n; i++)
		if (!n || t->kept[n - 1].mem != t->kept[i].mem) t->kept[n++] = t->kept[i];
	t->n = n;
}

static uint64_t slot_bytes(const struct kept *k) { return (uint64_t)musl_units[k->sizeclass] * MUSL_UNIT; }

/* The kept group in which addr is the beginning of a slot, and the slot. Kept groups may nest: the innermost that fits is the last one that begins
   before addr. Neighbours are nested into the same one: that is tried first. */
static struct kept *holder(struct telling *t, uint64_t addr, uint32_t *slot)
{
	size_t lo = 0, hi = t->n;
	struct kept *k = t->n ? &t->kept[t->last] : NULL;

	if (!k) return NULL;
	if (!(k->mem < addr && (t->last + 1 == t->n || addr <= k[1].mem))) {
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			if (t->kept[mid].mem < addr) lo = mid + 1;
			else hi = mid;
		}
		if (!lo) return NULL;
		t->last = lo - 1;
	}
	/* up to three levels: a kept group that ends before addr may lie in one that does not */
	for (size_t i = t->last + 1, tries = 0; i-- && tries < 64; tries++) {
		k = &t->kept[i];
		uint64_t at = addr - k->mem - MUSL_UNIT, n = slot_bytes(k);
		if (addr < k->mem + MUSL_UNIT || at / n >= k->slots) continue;
		if (at % n) return NULL;
		*slot = (uint32_t)(at / n);
		return k;
	}
	return NULL;
}

/* The group itself, when it was kept. */
static struct kept *kept_at(const struct telling *t, uint64_t mem)
{
	struct kept key = { .mem = mem };

	return t->n ? bsearch(&key, t->kept, t->n, sizeof key, by_mem) : NULL;
}

/* Marks the slot that a nested group lies in, and tells of the slot's end that the group does not use. 0 when there is none. */
static int settle(struct telling *t, const struct musl_group *g)
{
	uint32_t slot;
	uint64_t extent = g->extent;
	struct kept *k = holder(t, g->mem, &slot);

	if (!k || extent > slot_bytes(k) || k->nested >> slot & 1) {
		struct kept *own = kept_at(t, g->mem);
		if (own) own->slots = 0;        /* what it lies in tells of it as live */
		t->orphans++;
		return 0;
	}
	k->nested |= 1u << slot;
	k->free &= ~(1u << slot);
	tell(t, g->mem + extent, slot_bytes(k) - extent, ALLOCATOR_METADATA);
	return 1;
}

static void pass(struct telling *t, struct musl_walk *w, int collect)
{
	const struct musl_area *a;
	struct musl_group g = { 0 };

	while ((a = musl_walk_area(w))) {
		if (!collect) tell(t, w->at, MUSL_PAGE, ALLOCATOR_METADATA);
		for (unsigned i = 0; i < MUSL_METAS; i++) {
			if (!a->meta[i].mem || !musl_walk_group(w, &a->meta[i], &g)) continue;
			if (collect) {
				if (may_hold(t, &g)) keep(t, &g);
				continue;
			}
			if (g.nested && !settle(t, &g)) continue;
			if (!may_hold(t, &g)) tell_slots(t, g.mem, g.stride, g.slots, g.free, 0, g.mapped);
			else if (t->overflowed && g.mapped && !kept_at(t, g.mem)) tell(t, g.mem, g.mapped, ALLOCATOR_MANAGED);
		}
	}
}

uint64_t musl_ranges(const struct target *target, const struct musl_context *c, const struct musl_totals *n, struct allocator_sink *sink)
{
	struct telling t = { .sink = sink, .totals = n };
	struct musl_walk w;

	musl_walk_open(&w, target, c);
	pass(&t, &w, 1);
	musl_walk_close(&w);
	sort(&t);
	musl_walk_open(&w, target, c);
	pass(&t, &w, 0);
	for (size_t i = 0; i < t.n; i++) {
		struct kept *k = &t.kept[i];
		if (k->slots) tell_slots(&t, k->mem, slot_bytes(k), k->slots, k->free, k->nested, (uint64_t)k->mapped_pages * MUSL_PAGE);
	}
	musl_walk_close(&w);
	free(t.kept);
	return t.overflowed ? 0 : t.orphans;
}
