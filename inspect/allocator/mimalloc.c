/* mimalloc.c: the reader of mimalloc 2 and 3: puts together what mimalloc_segment or mimalloc_map find and mimalloc_page counts. What a page
 * counts as used, less what other threads have freed, is what the program has. Requested sizes stand nowhere. There are no locks on the
 * way of malloc and free, and no caches beside the pages. */
#include "inspect/allocator/mimalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/allocator/window.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { SET_MAX = 4096 };

void mimalloc_bad(struct mimalloc *m, const char *fmt, ...)
{
	va_list ap;

	if (m->bad++) return;
	va_start(ap, fmt);
	vsnprintf(m->why, sizeof m->why, fmt, ap);
	va_end(ap);
}

void mimalloc_tell(const struct mimalloc *m, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	if (m->sink && bytes) m->sink->range(m->sink, start, bytes, what);
}

int mimalloc_remember(uint64_t **set, size_t *n, uint64_t v)
{
	for (size_t i = *n; i--;)
		if ((*set)[i] == v) return 0;
	if (*n == SET_MAX) return 0;
	if (!(*n & (*n - 1))) *set = xreallocarray(*set, *n ? *n * 2 : 1, sizeof **set);
	(*set)[(*n)++] = v;
	return 1;
}

static size_t probe(const struct target *t, struct allocator_found *out, size_t max)
{
	struct window *w = window_open(t);
	size_t n = 0;

	if (n < max) n += mimalloc_segment_find(t, w, &out[n]);
	if (n < max) n += mimalloc_map_find(t, w, &out[n]);
	window_close(w);
	return n;
}

static void sums(struct mimalloc *m)
{
	struct heap_allocator *a = m->a;

	for (size_t i = 0; i < a->nclasses; i++) {
		a->live_objects += a->class[i].live;
		a->live_bytes += a->class[i].live * a->class[i].size;
		a->free_objects += a->class[i].free;
	}
	a->mapped = m->unused_bytes + m->metadata;
	a->free_bytes = m->unused_bytes;
	for (size_t i = 0; i < m->nowners; i++) {
		a->mapped += m->owner[i].mapped;
		a->free_bytes += m->owner[i].free;
	}
	a->metadata_bytes = m->metadata;
	a->requested_bytes = HEAP_UNKNOWN;
}

/* A thread has its pages for itself: that is the nearest to an arena. */
static void arenas(struct mimalloc *m)
{
	for (size_t i = 0; i < m->nowners; i++) {
		const struct mimalloc_owner *o = &m->owner[i];
		struct heap_arena *to = heap_add_arena(m->a);
		*to = (struct heap_arena){ .addr = o->thread, .threads = o->thread != 0, .mapped = o->mapped, .live = o->live, .free = o->free };
		snprintf(to->name, sizeof to->name, o->thread ? "a thread's pages" : "abandoned pages");
		for (size_t k = 0; o->thread && k < m->t->nthreads; k++) {
			const struct target_thread *th = &m->t->thread[k];
			if (target_thread_pointer(m->t, th) != o->thread) continue;
			snprintf(to->name, sizeof to->name, "pages of thread %d", (int)th->tid);
			struct heap_thread *of = heap_thread_of(m->a, th->tid);
			snprintf(of->name, sizeof of->name, "%.15s", th->name);
			snprintf(of->arena, sizeof of->arena, "%s", to->name);
			break;
		}
	}
}

/* Blocks that other threads have freed stand in the counts of those in use. */
static void forget(struct heap_allocator *a)
{
	a->live_objects = a->live_bytes = a->free_objects = a->free_bytes = HEAP_UNKNOWN;
	for (size_t i = 0; i < a->nclasses; i++) a->class[i].live = a->class[i].free = HEAP_UNKNOWN;
	for (size_t i = 0; i < a->narenas; i++) a->arena[i].live = a->arena[i].free = HEAP_UNKNOWN;
}

static int read_heap(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a, struct allocator_sink *sink, struct err *e)
{
	struct mimalloc m = { .t = t, .found = f, .a = a, .sink = sink, .flags = flags };

	if (f->layout > MIMALLOC_MAP) return err_set(e, ERR_FAIL, "pid %d: reading mimalloc: its layout is not known", (int)t->pid);
	m.layout = f->layout == MIMALLOC_MAP ? NULL : &mimalloc_segments[f->layout];
	m.w = window_open(t);
	if (m.layout ? window_u64(m.w, f->state) != f->extra[MIMALLOC_EXTRA_COOKIE] : !window_u64(m.w, f->state)) {
		window_close(m.w);
		return err_set(e, ERR_GONE, "pid %d: mimalloc's state is gone from 0x%" PRIx64 ": another program runs in this process now", (int)t->pid, f->state);
	}
	if (m.layout) mimalloc_segment_walk(&m);
	else mimalloc_map_walk(&m);
	a->state = f->state;
	sums(&m);
	arenas(&m);
	a->in_use = a->live_objects > 0;
	if (m.impatient) forget(a);
	heap_add_fact(a, "pages", (double)m.pages, "pages");
	heap_add_fact(a, "pages_abandoned", (double)m.abandoned_pages, "pages");
	heap_add_fact(a, "abandoned", (double)m.abandoned_bytes, "bytes");
	heap_add_fact(a, "freed_by_other_threads", (double)m.remote, "blocks");
	a->bad = m.bad;
	a->status = m.bad ? HEAP_TORN : HEAP_COMPLETE;
	if (m.bad) snprintf(a->status_text, sizeof a->status_text, "%" PRIu64 " things did not fit together; the first: %s", m.bad, m.why);
	else if (m.encoded) snprintf(a->status_text, sizeof a->status_text, "its lists are encoded: blocks freed by other threads count as live for a while");
	else if (m.impatient) snprintf(a->status_text, sizeof a->status_text, "too many blocks freed by other threads for a quick look: --full tells live from free");
	window_close(m.w);
	free(m.owner);
	free(m.heap);
	free(m.is_free);
	return 0;
}

static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	(void)t, (void)f, (void)a;
}

const struct allocator allocator_mimalloc = {
	.name = "mimalloc",
	.probe = probe,
	.read = read_heap,
	.locks = locks,
};
