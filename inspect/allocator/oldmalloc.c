/* oldmalloc.c: the reader of musl's allocator before mallocng: puts together what oldmalloc_find and oldmalloc_walk learn. It keeps no counters:
 * live and free cost a walk over the heap's chunks, which is done unasked only where the heap is small. What the program asked for is not noted
 * anywhere: only chunk sizes are. */
#include "inspect/allocator/oldmalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/musl.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { SMALL = 64 << 20 };

static size_t probe(const struct target *t, struct allocator_found *out, size_t max)
{
	struct target_region where;
	uint64_t state = max ? oldmalloc_find(t, &where) : 0;
	const char *base;

	if (!state) return 0;
	*out = (struct allocator_found){ .kind = &allocator_oldmalloc, .state = state };
	musl_version(t, &where, out->version, sizeof out->version);
	if (!*out->version) snprintf(out->version, sizeof out->version, "to 1.2.0, or later by choice");
	snprintf(out->evidence, sizeof out->evidence, "64 bins of which each is empty and points to itself, or begins with a chunk that points back");
	base = strrchr(where.path, '/');
	snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : where.path);
	return 1;
}

static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	char name[16];

	(void)t;
	heap_add_lock(a, HEAP_LOCK_PAIR, f->state + offsetof(struct oldmalloc_state, merge_lock), "split and merge");
	for (unsigned k = 0; k < OLDMALLOC_BINS; k++) {
		snprintf(name, sizeof name, "bin %u", k);
		heap_add_lock(a, HEAP_LOCK_PAIR, f->state + offsetof(struct oldmalloc_state, bin) + k * sizeof(struct oldmalloc_bin), name);
	}
}

/* The memory of the break, and what else can be told without a walk: nothing. */
static void read_quick(const struct target *t, uint64_t mapped, struct heap_allocator *a, struct allocator_sink *sink)
{
	for (size_t i = 0; i < t->maps.n; i++)
		if (!strcmp(t->maps.map[i].path, "[heap]") && sink)
			sink->range(sink, t->maps.map[i].start, t->maps.map[i].end - t->maps.map[i].start, ALLOCATOR_MANAGED);
	a->mapped = mapped;
	a->live_objects = a->live_bytes = a->free_objects = a->free_bytes = a->metadata_bytes = a->large_objects = a->large_bytes = HEAP_UNKNOWN;
	snprintf(a->status_text, sizeof a->status_text, "this allocator keeps no counters: live and free need --full");
}

static void read_full(const struct target *t, struct heap_allocator *a, struct allocator_sink *sink)
{
	struct oldmalloc_walk *w = xmalloc(sizeof *w);

	oldmalloc_walk(w, t, sink);
	a->mapped = w->mapped;
	a->live_objects = w->live;
	a->live_bytes = w->live_bytes;
	a->free_objects = w->free;
	a->free_bytes = w->free_bytes;
	a->metadata_bytes = w->mapped > w->live_bytes + w->free_bytes ? w->mapped - w->live_bytes - w->free_bytes : 0;
	a->large_objects = w->large;
	a->large_bytes = w->large_bytes;
	a->in_use = w->live > 0;
	for (unsigned i = 1; i <= OLDMALLOC_SIZES; i++) {
		if (!w->tally[i].live && !w->tally[i].free) continue;
		struct heap_class *c = heap_add_class(a);
		c->size = (uint64_t)i * OLDMALLOC_ALIGN - OLDMALLOC_HEADER;
		c->live = w->tally[i].live;
		c->free = w->tally[i].free;
		c->requested = HEAP_UNKNOWN;
	}
	heap_add_fact(a, "areas", (double)w->areas, "areas");
	heap_add_fact(a, "mappings", (double)w->mappings, "chunks");
	a->bad = w->bad;
	if (w->bad) {
		a->status = HEAP_TORN;
		snprintf(a->status_text, sizeof a->status_text, "%" PRIu64 " chunks of %" PRIu64 " did not fit their neighbours: "
		         "the heap changed while it was read, or is corrupt", w->bad, w->live + w->free);
	}
	free(w);
}

static int read_heap(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a,
                     struct allocator_sink *sink, struct err *e)
{
	struct oldmalloc_state s;
	uint64_t bytes = 0, heap = 0;

	if (mem_read(t->mem, f->state, &s, sizeof s, e)) return -1;
	a->state = f->state;
	a->in_use = 1;
	a->requested_bytes = HEAP_UNKNOWN;
	a->status = HEAP_COMPLETE;
	for (size_t i = 0; i < t->maps.n; i++) {
		uint64_t n = t->maps.map[i].end - t->maps.map[i].start;
		if (!strcmp(t->maps.map[i].path, "[heap]")) heap += n;
		if (target_is_anonymous(t, t->maps.map[i].start)) bytes += n;
	}
	if (flags & ALLOCATOR_FULL || bytes <= SMALL) read_full(t, a, sink);
	else read_quick(t, heap, a, sink);
	heap_add_fact(a, "bins_used", __builtin_popcountll(s.binmap), "of 64 bins");

	struct heap_arena *arena = heap_add_arena(a);
	*arena = (struct heap_arena){ .name = "the heap", .addr = f->state, .threads = t->nthreads };
	arena->mapped = a->mapped;
	arena->live = a->live_bytes;
	arena->free = a->free_bytes;
	locks(t, f, a);
	return 0;
}

const struct allocator allocator_oldmalloc = {
	.name = "musl oldmalloc",
	.probe = probe,
	.read = read_heap,
	.locks = locks,
};
