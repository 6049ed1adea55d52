/* tcmalloc.c: the reader of gperftools' tcmalloc: puts together what tcmalloc_find, _spans and _caches learn. What the program has is what
 * the spans handed out, without what is kept for threads. Requested sizes stand nowhere. */
#include "inspect/allocator/tcmalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/window.h"
#include "inspect/target/err.h"

enum {
	/* from the map's root to the counters of the page heap: the root and a pointer, two sets, 128 pairs of spans */
	STATS = (1 << 17) * 8 + 8 + 2 * 48 + 128 * 2 * 48,
	SIZES_BYTES = TCMALLOC_CLASSES * 4,
};

void tcmalloc_bad(struct tcmalloc *m, const char *fmt, ...)
{
	va_list ap;

	if (m->bad++) return;
	va_start(ap, fmt);
	vsnprintf(m->why, sizeof m->why, fmt, ap);
	va_end(ap);
}

/* Metadata comes from few large chunks, that hold nothing else: from the first to the last that was seen in a mapping, all is metadata,
   except what belongs to spans. */
void tcmalloc_meta(struct tcmalloc *m, uint64_t start, uint64_t bytes)
{
	struct tcmalloc_extent *e = m->meta;
	const struct map *map;

	for (; e < m->meta + m->nmeta; e++)
		if (start >= e->start && start + bytes <= e->end) return;
	if (!(map = maps_find(&m->t->maps, start)) || start + bytes > map->end) return;
	for (e = m->meta; e < m->meta + m->nmeta && e->map != map->start; e++) ;
	if (e == m->meta + sizeof m->meta / sizeof *m->meta) return;
	if (e == m->meta + m->nmeta) {
		*e = (struct tcmalloc_extent){ start, start + bytes, map->start };
		m->nmeta++;
	}
	if (start < e->start) e->start = start;
	if (start + bytes > e->end) e->end = start + bytes;
}

static int begin(struct tcmalloc *m, const struct target *t, const struct allocator_found *f, struct heap_allocator *a, struct err *e)
{
	char sizes[SIZES_BYTES], batches[SIZES_BYTES];

	*m = (struct tcmalloc){ .t = t, .found = f, .a = a, .w = window_open(t), .page_shift = (unsigned)f->extra[TCMALLOC_EXTRA_PAGE], .nclasses = (unsigned)f->extra[TCMALLOC_EXTRA_CLASSES] };
	if (m->nclasses < 2 || m->nclasses > TCMALLOC_CLASSES) return err_set(e, ERR_FAIL, "pid %d: reading tcmalloc: its layout is not known", (int)t->pid);
	/* how many objects a batch has stands before the sizes */
	window_read(m->w, f->extra[TCMALLOC_EXTRA_SIZES], sizes, sizeof sizes);
	window_read(m->w, f->extra[TCMALLOC_EXTRA_SIZES] - SIZES_BYTES, batches, sizeof batches);
	for (unsigned k = 1; k < m->nclasses; k++) {
		m->class[k].size = window_half(sizes, k * 4);
		m->class[k].batch = window_half(batches, k * 4);
		if (!m->class[k].size || m->class[k].size % 8 || m->class[k].size <= m->class[k - 1].size || m->class[k].batch > 1 << 16)
			return err_set(e, ERR_GONE, "pid %d: tcmalloc's sizes are gone from 0x%" PRIx64 ": another program runs in this process now", (int)t->pid, f->extra[TCMALLOC_EXTRA_SIZES]);
	}
	return 0;
}

static void end(struct tcmalloc *m)
{
	window_close(m->w);
	free(m->large);
}

static void classes(struct tcmalloc *m)
{
	struct heap_allocator *a = m->a;

	for (unsigned k = 1; k < m->nclasses; k++) {
		const struct tcmalloc_class *from = &m->class[k];
		uint64_t kept = from->transfer + from->cached;
		if (!from->spans) continue;
		if (kept > from->out) {
			tcmalloc_bad(m, "caches have more objects of %" PRIu64 " bytes than were handed out", from->size);
			kept = from->out;
		}
		if (from->free != from->room - from->out)
			tcmalloc_bad(m, "the list of class %" PRIu64 " has %" PRIu64 " free objects, its spans %" PRIu64, from->size, from->free, from->room - from->out);
		struct heap_class *c = heap_class_of(a, from->size);
		*c = (struct heap_class){ .size = from->size, .live = from->out - kept, .free = from->room - from->out, .cached = kept, .requested = HEAP_UNKNOWN,
			.slabs = from->spans, .pinned = from->pinned, .churn = HEAP_UNKNOWN };
		a->live_objects += c->live;
		a->live_bytes += c->live * c->size;
		a->cached_objects += kept;
		a->cached_bytes += kept * c->size;
		a->free_objects += c->free;
		a->free_bytes += from->bytes - from->out * c->size;
	}
	for (size_t i = 0; i < m->nlarge; i++) {
		struct heap_class *c = heap_class_of(a, m->large[i].bytes);
		uint64_t n = m->large[i].n;
		/* a span of its own may have the size of a class */
		if (!c->slabs) c->requested = c->churn = c->pinned = HEAP_UNKNOWN;
		c->live += n;
		c->slabs += n;
		a->live_objects += n;
		a->live_bytes += n * c->size;
		a->large_objects += n;
		a->large_bytes += n * c->size;
	}
	a->free_bytes += m->free + m->returned;
}

/* The page heap counts for itself. */
static void check_sums(struct tcmalloc *m)
{
	uint64_t s[3];

	if (tcmalloc_leaf_bits(m->page_shift) != TCMALLOC_LEAF_BITS || window_read(m->w, m->found->extra[TCMALLOC_EXTRA_ROOT] + STATS, s, sizeof s)) return;
	if (s[0] != m->in_use + m->free + m->returned || s[1] != m->free || s[2] != m->returned)
		tcmalloc_bad(m, "the page heap counts %" PRIu64 " bytes, its spans have %" PRIu64, s[0], m->in_use + m->free + m->returned);
}

static void arena(struct tcmalloc *m)
{
	struct heap_arena *h = heap_add_arena(m->a);

	*h = (struct heap_arena){ .name = "the heap", .addr = m->found->extra[TCMALLOC_EXTRA_ROOT], .threads = m->caches, .mapped = m->in_use + m->free + m->returned,
		.live = m->a->live_bytes, .free = m->a->free_bytes, .cached = m->a->cached_bytes };
}

static void facts(struct tcmalloc *m)
{
	uint64_t transfer = 0, cached = 0, central = 0;

	for (unsigned k = 1; k < m->nclasses; k++) {
		transfer += m->class[k].transfer * m->class[k].size;
		cached += m->class[k].cached * m->class[k].size;
		central += m->class[k].free * m->class[k].size;
	}
	heap_add_fact(m->a, "thread_cache_free", (double)cached, "bytes");
	heap_add_fact(m->a, "transfer_cache_free", (double)transfer, "bytes");
	heap_add_fact(m->a, "central_cache_free", (double)central, "bytes");
	heap_add_fact(m->a, "pageheap_free", (double)m->free, "bytes");
	heap_add_fact(m->a, "pageheap_unmapped", (double)m->returned, "bytes");
	heap_add_fact(m->a, "thread_caches", (double)m->caches, "caches");
	heap_add_fact(m->a, "spans", (double)m->spans, "spans");
}

/* A list that never had a span was never locked in earnest. */
static void add_locks(struct tcmalloc *m)
{
	char name[56];

	for (unsigned k = 1; k < m->nclasses; k++) {
		uint64_t list = m->found->state + (uint64_t)k * TCMALLOC_STRIDE;
		if (!window_u64(m->w, list + TCMALLOC_LIST_SPANS)) continue;
		snprintf(name, sizeof name, "central list %u (%" PRIu64 " B)", k, m->class[k].size);
		heap_add_lock(m->a, HEAP_LOCK_SPIN, list, name);
	}
	if (m->found->extra[TCMALLOC_EXTRA_LOCK]) heap_add_lock(m->a, HEAP_LOCK_SPIN, m->found->extra[TCMALLOC_EXTRA_LOCK], "page heap");
}

static int read_heap(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a, struct allocator_sink *sink, struct err *e)
{
	struct tcmalloc m;

	if (begin(&m, t, f, a, e)) {
		end(&m);
		return -1;
	}
	m.flags = flags;
	m.sink = sink;
	a->state = f->state;
	tcmalloc_caches(&m);
	if (f->extra[TCMALLOC_EXTRA_ROOT]) {
		tcmalloc_spans(&m);
		check_sums(&m);
	}
	for (size_t i = 0; sink && i < m.nmeta; i++) sink->range(sink, m.meta[i].start, m.meta[i].end - m.meta[i].start, ALLOCATOR_METADATA);
	classes(&m);
	if (!f->extra[TCMALLOC_EXTRA_CACHES]) a->cached_objects = a->cached_bytes = HEAP_UNKNOWN;
	a->requested_bytes = HEAP_UNKNOWN;
	a->metadata_bytes = HEAP_UNKNOWN;
	a->mapped = m.in_use + m.free + m.returned;
	a->in_use = a->live_objects > 0;
	arena(&m);
	facts(&m);
	add_locks(&m);
	a->bad = m.bad;
	a->status = m.bad ? HEAP_TORN : HEAP_COMPLETE;
	if (m.bad) snprintf(a->status_text, sizeof a->status_text, "%" PRIu64 " things did not fit together; the first: %s", m.bad, m.why);
	end(&m);
	return 0;
}

static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	struct tcmalloc m;
	struct err ignored;

	if (!begin(&m, t, f, a, &ignored)) add_locks(&m);
	end(&m);
}

const struct allocator allocator_tcmalloc = {
	.name = "tcmalloc",
	.probe = tcmalloc_find,
	.read = read_heap,
	.locks = locks,
};
