/* glibc.c: reads glibc's malloc (ptmalloc), 2.17 to 2.43, from outside. Quick: counters, lists of freed chunks as far as they are
 * short, what threads keep; the rest is live. Full: every chunk. A small heap is walked in any case. */
#include "inspect/allocator/glibc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	WALK_ANYWAY = 16 << 20,         /* bytes of arenas that take no longer to walk than to look at quickly */
};

void glibc_bad(struct glibc *g, const char *fmt, ...)
{
	va_list ap;

	if (g->a->bad++) return;
	va_start(ap, fmt);
	vsnprintf(g->why, sizeof g->why, fmt, ap);
	va_end(ap);
}

void glibc_special_add(struct glibc *g, uint64_t addr, uint64_t size, enum allocator_range what, size_t arena)
{
	/* as many as there are steps, and the tcaches themselves */
	if (g->nspecials == 2 * GLIBC_SPECIALS) {
		glibc_bad(g, "more than %d freed chunks in lists", GLIBC_SPECIALS);
		return;
	}
	if (!(g->nspecials & (g->nspecials - 1)))
		g->special = xreallocarray(g->special, g->nspecials ? g->nspecials * 2 : 1, sizeof *g->special);
	g->special[g->nspecials++] = (struct glibc_special){ addr, size, what, (uint32_t)arena };
}

/* Large sizes are gathered, eight to a doubling, so that no heap has too many. */
static uint64_t gathered(uint64_t size)
{
	uint64_t step = (UINT64_C(1) << (63 - __builtin_clzll(size))) / 8;

	return (size + step - 1) / step * step;
}

static void into_class(struct glibc *g, uint64_t size, const struct glibc_count *c)
{
	struct heap_class *k = heap_class_of(g->a, size - GLIBC_HEADER);

	k->requested = HEAP_UNKNOWN;
	k->slabs = k->pinned = k->churn = HEAP_UNKNOWN;
	k->live += c->live;
	k->free += c->free;
	k->cached += c->cached;
}

void glibc_count(struct glibc *g, uint64_t size, enum allocator_range what, uint64_t n)
{
	struct glibc_count one = { 0 }, *c = size < GLIBC_SMALL ? &g->count[size / GLIBC_ALIGN] : &one;

	if (what == ALLOCATOR_LIVE) c->live += n;
	else if (what == ALLOCATOR_CACHED) c->cached += n;
	else c->free += n;
	if (c == &one) into_class(g, gathered(size), &one);
}

static int by_addr(const void *a, const void *b)
{
	const struct glibc_special *x = a, *y = b;

	return (x->addr > y->addr) - (x->addr < y->addr);
}

/* Sorted, each chunk once: one that is in two lists is a corrupted heap, or one that moved while we looked. */
static void sort_specials(struct glibc *g)
{
	size_t kept = 0;

	if (g->nspecials) qsort(g->special, g->nspecials, sizeof *g->special, by_addr);
	for (size_t i = 0; i < g->nspecials; i++) {
		if (kept && g->special[kept - 1].addr == g->special[i].addr) glibc_bad(g, "the chunk at 0x%llx is in two lists", (unsigned long long)g->special[i].addr);
		else g->special[kept++] = g->special[i];
	}
	g->nspecials = kept;
}

static void read_par(struct glibc *g)
{
	unsigned char s[GLIBC_PAR];

	g->tcache_count = 127;
	if (!g->found->extra[0] || g->found->extra[1] >= GLIBC_PARS) return;
	const struct glibc_par *p = &glibc_pars[g->found->extra[1]];
	if (mem_read_some(g->t->mem, g->found->extra[0], s, p->size) < p->size) return;
	g->par = p;
	g->n_mmaps = glibc_u32(s, p->n_mmaps);
	g->mmapped_mem = glibc_u64(s, p->mmapped_mem);
	g->sbrk_base = glibc_u64(s, p->sbrk_base);
	if (p->tcache_count) g->tcache_count = glibc_u64(s, p->tcache_count);
	heap_add_fact(g->a, "mmap_threshold", (double)glibc_u64(s, 16), "bytes");
	heap_add_fact(g->a, "trim_threshold", (double)glibc_u64(s, 0), "bytes");
	heap_add_fact(g->a, "arena_max", (double)glibc_u64(s, 32), "");
	/* the counts: n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold */
	heap_add_fact(g->a, "mmap_threshold_fixed", glibc_u32(s, p->n_mmaps + 12u) != 0, "");
	if (p->tcache_count) heap_add_fact(g->a, "tcache_count", (double)g->tcache_count, "");
	/* 2.35 and later always mangle, what has no tcache never does */
	if (g->par - glibc_pars >= 3) g->safe_linking = g->mangling_known = 1;
	else if (!p->tcache_bins) g->mangling_known = 1;
}

static void note(struct glibc *g, const char *text)
{
	if (!g->a->bad) snprintf(g->why, sizeof g->why, "%s", text);
}

/* No more freed chunks than fit: a list that goes round in circles ends there. */
static uint64_t most_chunks(const struct glibc *g)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < g->nsegments; i++) bytes += g->segment[i].end - g->segment[i].start;
	bytes = bytes / GLIBC_MINSIZE + GLIBC_STEPS;
	return bytes < GLIBC_SPECIALS ? bytes : GLIBC_SPECIALS;
}

/* How the segments are told: every chunk; lists and gaps; sums. */
static void read_segments(struct glibc *g, int full)
{
	uint64_t steps = full ? most_chunks(g) : GLIBC_STEPS;

	int many = glibc_tcache(g, &steps);
	glibc_fastbins(g, &steps);
	if (full) {
		sort_specials(g);
		glibc_walk(g);
		if (steps) return;
		/* the rest of them passed for live */
		glibc_bad(g, "more freed chunks in lists than there can be, or than are followed");
		for (size_t i = 0; i < g->narenas; i++) g->arena[i].unknown |= g->arena[i].system_mem != 0;
		return;
	}
	if (!many && steps && !glibc_bins(g, &steps)) {
		sort_specials(g);
		glibc_gaps(g);
		g->a->live_objects = HEAP_UNKNOWN;
		note(g, "live objects are not counted: --full walks every chunk");
		return;
	}
	g->nspecials = 0;
	glibc_sums(g);
	for (size_t i = 0; i < g->narenas; i++) g->arena[i].unknown |= g->arena[i].system_mem != 0;
	note(g, "too many freed chunks for a quick look: --full tells live from free");
}

static void add_up(struct glibc *g)
{
	struct heap_allocator *a = g->a;
	int known = 1;

	for (size_t i = 0; i < g->narenas; i++) known &= !g->arena[i].unknown;
	if (!known) a->live_objects = a->live_bytes = a->free_objects = a->free_bytes = HEAP_UNKNOWN;
	for (uint64_t i = 0; i < GLIBC_SMALL / GLIBC_ALIGN; i++)
		if (g->count[i].live | g->count[i].free | g->count[i].cached) into_class(g, i * GLIBC_ALIGN, &g->count[i]);
	for (size_t i = 0; i < g->narenas; i++) {
		struct glibc_arena *x = &g->arena[i];
		struct heap_arena *out = heap_add_arena(a);
		if (i) snprintf(out->name, sizeof out->name, "arena %zu", g->narenas - i);
		else snprintf(out->name, sizeof out->name, "main arena");
		out->addr = x->addr;
		out->threads = x->attached;
		out->mapped = x->system_mem;
		out->top = x->unknown && !x->top_size ? HEAP_UNKNOWN : x->top_size;
		out->live = x->unknown ? HEAP_UNKNOWN : x->live;
		out->free = x->unknown ? HEAP_UNKNOWN : x->free + x->top_size;
		out->cached = x->cached;
		a->mapped += x->system_mem;
		if (!known) continue;
		a->live_bytes += x->live;
		a->free_bytes += x->free + x->top_size;
		a->cached_bytes += x->cached;
	}
}

/* Objects: of the walk, counted by class; live and mmapped ones are among them. */
static void add_objects(struct glibc *g, int full)
{
	struct heap_allocator *a = g->a;

	if (a->free_bytes == HEAP_UNKNOWN) {
		a->cached_objects = g->tcache_objects;
		a->cached_bytes = g->tcache_bytes;
		for (size_t i = 0; i < a->nclasses; i++) a->class[i].live = a->class[i].free = HEAP_UNKNOWN;
		return;
	}
	a->live_bytes += g->mmap_bytes;
	/* the headers of those with a mapping of their own have been counted */
	if (full) a->metadata_bytes -= g->mmap_objects * GLIBC_HEADER;
	for (size_t i = 0; i < a->nclasses; i++) {
		struct heap_class *c = &a->class[i];
		a->free_objects += c->free;
		a->cached_objects += c->cached;
		if (full) {
			a->live_objects += c->live;
			a->metadata_bytes += c->live * GLIBC_HEADER;
		} else {
			c->live = HEAP_UNKNOWN;
		}
	}
}

static void finish(struct glibc *g, int full)
{
	struct heap_allocator *a = g->a;

	a->requested_bytes = HEAP_UNKNOWN;
	add_up(g);
	add_objects(g, full);
	a->mapped += g->mmapped_mem;
	a->large_objects = g->par ? g->n_mmaps : HEAP_UNKNOWN;
	a->large_bytes = g->par ? g->mmapped_mem : HEAP_UNKNOWN;
	a->status = a->bad ? HEAP_TORN : HEAP_COMPLETE;
	snprintf(a->status_text, sizeof a->status_text, "%s", g->why);
	if (full) heap_add_fact(a, "free_pieces", (double)g->free_pieces, "bytes");
	heap_add_fact(a, "arenas", (double)g->narenas, "");
	heap_add_fact(a, "tcaches", (double)g->tcaches, "");
	heap_add_fact(a, "tcache_bins_used", (double)g->bins_used, "");
	heap_add_fact(a, "tcache_bins_full", (double)g->bins_full, "");
}

static void add_locks(const struct glibc_arena *arena, size_t n, struct heap_allocator *a)
{
	char name[32];

	for (size_t i = 0; i < n; i++) {
		if (i) snprintf(name, sizeof name, "arena %zu", n - i);
		else snprintf(name, sizeof name, "main arena");
		heap_add_lock(a, HEAP_LOCK_FUTEX3, arena[i].addr, name);
	}
}

static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	struct glibc_arena *arena;
	size_t n;

	if (f->layout >= GLIBC_LAYOUTS || glibc_ring(t, f->state, &glibc_layouts[f->layout], &arena, &n)) return;
	add_locks(arena, n, a);
	free(arena);
}

static int read(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a,
                struct allocator_sink *sink, struct err *e)
{
	struct glibc g = { .t = t, .found = f, .a = a, .sink = sink };
	uint64_t total = 0;

	(void)e;
	a->state = f->state;
	if (f->layout >= GLIBC_LAYOUTS) {
		a->status = HEAP_UNSUPPORTED;
		heap_unknown(a);
		return 0;
	}
	g.layout = &glibc_layouts[f->layout];
	if (glibc_ring(t, f->state, g.layout, &g.arena, &g.narenas)) {
		a->status = HEAP_TORN;
		a->bad = 1;
		heap_unknown(a);
		snprintf(a->status_text, sizeof a->status_text, "the ring of arenas does not close");
		return 0;
	}
	g.count = xcalloc(GLIBC_SMALL / GLIBC_ALIGN, sizeof *g.count);
	read_par(&g);
	glibc_segments(&g);
	for (size_t i = 0; i < g.narenas; i++) total += g.arena[i].system_mem;
	int full = flags & ALLOCATOR_FULL || total <= WALK_ANYWAY;
	read_segments(&g, full);
	glibc_mmapped(&g, full);
	finish(&g, full);
	add_locks(g.arena, g.narenas, a);
	free(g.arena);
	free(g.segment);
	free(g.special);
	free(g.count);
	return 0;
}

const struct allocator allocator_glibc = {
	.name = "glibc",
	.probe = glibc_find,
	.read = read,
	.locks = locks,
};
