/* tcmalloc_caches.c: objects that were freed and are kept for threads: in the caches of the threads themselves, and, in batches, in the
 * transfer cache of each central list. For the spans both are handed out. In full mode each object is told, by following the lists. */
#include "inspect/allocator/tcmalloc.h"

#include <inttypes.h>
#include <stdio.h>

#include "inspect/allocator/window.h"

enum { CACHES_MAX = 1 << 16, LENGTH_MAX = 1 << 20, STEPS_MAX = 1 << 24 /* objects followed in all */, TLS = 16 << 10 /* below its thread pointer a thread has its pointer to its cache */ };

static void follow(struct tcmalloc *m, uint64_t p, uint64_t n, uint64_t size)
{
	uint64_t left = n;

	for (; left && p; left--) {
		if (m->steps++ > STEPS_MAX || p % 8 || !target_is_anonymous(m->t, p)) break;
		if (m->sink) m->sink->range(m->sink, p, size, ALLOCATOR_CACHED);
		p = window_u64(m->w, p);
	}
	if (left) tcmalloc_bad(m, "a list of %" PRIu64 " cached objects of %" PRIu64 " bytes has %" PRIu64, n, size, n - left);
}

static void central(struct tcmalloc *m, unsigned k)
{
	struct tcmalloc_class *c = &m->class[k];
	uint64_t list = m->found->state + (uint64_t)k * TCMALLOC_STRIDE;
	int32_t used = (int32_t)window_u64(m->w, list + TCMALLOC_LIST_USED);

	c->free = window_u64(m->w, list + TCMALLOC_LIST_FREE);
	if (used < 0 || used > TCMALLOC_SLOTS) {
		tcmalloc_bad(m, "the transfer cache of class %" PRIu64 " has %d slots in use", c->size, used);
		return;
	}
	c->transfer = (uint64_t)used * c->batch;
	for (int32_t i = 0; m->flags & ALLOCATOR_FULL && i < used; i++) follow(m, window_u64(m->w, list + TCMALLOC_LIST_SLOTS + (uint64_t)i * 16), c->batch, c->size);
}

/* Before 2.16 a cache has the thread it is of; since then a thread has its cache somewhere in its static memory. */
static const struct target_thread *owner(const struct tcmalloc *m, uint64_t cache)
{
	uint64_t tid = m->found->layout == TCMALLOC_NO_TID ? 0 : window_u64(m->w, cache + TCMALLOC_CACHE_TID);

	for (size_t i = 0; i < m->t->nthreads; i++) {
		uint64_t tp = target_thread_pointer(m->t, &m->t->thread[i]);
		if (!tp || (tid && tp != tid)) continue;
		if (tid) return &m->t->thread[i];
		for (uint64_t at = tp - 8; at > tp - TLS; at -= 8)
			if (window_u64(m->w, at) == cache) return &m->t->thread[i];
	}
	return NULL;
}

static void cache_of_thread(struct tcmalloc *m, uint64_t cache)
{
	const struct target_thread *th = owner(m, cache);
	uint64_t bytes = 0, objects = 0;

	for (unsigned k = 1; k < m->nclasses; k++) {
		char r[TCMALLOC_CACHE_LISTS];
		struct tcmalloc_class *c = &m->class[k];
		uint32_t length;
		if (window_read(m->w, cache + (uint64_t)k * TCMALLOC_CACHE_LISTS, r, sizeof r) || window_half(r, 24) != c->size || (length = window_half(r, 8)) > LENGTH_MAX) {
			tcmalloc_bad(m, "the thread's cache at 0x%" PRIx64 " makes no sense", cache);
			return;
		}
		c->cached += length;
		objects += length;
		bytes += length * c->size;
		if (m->flags & ALLOCATOR_FULL) follow(m, window_word(r, 0), length, c->size);
	}
	tcmalloc_meta(m, cache, TCMALLOC_CACHE);
	m->caches++;
	if (!th) return;
	struct heap_thread *out = heap_thread_of(m->a, th->tid);
	snprintf(out->name, sizeof out->name, "%.15s", th->name);
	out->cached += bytes;
	out->cached_objects += objects;
}

void tcmalloc_caches(struct tcmalloc *m)
{
	uint64_t cache = m->found->extra[TCMALLOC_EXTRA_CACHES] ? window_u64(m->w, m->found->extra[TCMALLOC_EXTRA_CACHES]) : 0, before = 0;

	for (unsigned k = 1; k < m->nclasses; k++) central(m, k);
	for (size_t n = 0; cache; n++) {
		uint64_t next = window_u64(m->w, cache + tcmalloc_cache_next(m->found)), prev = window_u64(m->w, cache + tcmalloc_cache_next(m->found) + 8);
		if (n > CACHES_MAX || prev != before || !target_is_anonymous(m->t, cache)) {
			tcmalloc_bad(m, "the list of threads' caches is broken at 0x%" PRIx64, cache);
			return;
		}
		cache_of_thread(m, cache);
		before = cache;
		cache = next;
	}
}
