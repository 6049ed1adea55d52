/* tcmalloc.h: gperftools' tcmalloc as its reader sees it, and what the files of the reader share. For inspect/allocator/tcmalloc*.c and
 * their tests only.
 *
 * gperftools 2.7 to 2.18 on 64-bit machines; sources read: common.h, central_freelist.h, span.h, page_heap.h, pagemap.h, thread_cache.h.
 * What there is, all in the library's data:
 * - central free lists, one for each size class: a spin lock, the class, lists of spans, counters, a cache of batches on their way
 *   between threads (the transfer cache).
 * - a table from class to size, and before it how many objects a batch has.
 * - a two-level map from page to span, 18 bits of it in a leaf. Spans that are neither lists' nor free are blocks of their own.
 *   In a class's span some objects may be free; those that threads keep count as handed out.
 * - the list of threads' caches. */
#ifndef ALLOCTOP_TCMALLOC_H
#define ALLOCTOP_TCMALLOC_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"

struct window;

enum {
	TCMALLOC_CLASSES = 128,
	TCMALLOC_STRIDE = 1216,         /* from central list to central list */
	TCMALLOC_SPAN = 48,
	TCMALLOC_LEAF_BITS = 18,        /* for pages of 8 KiB; half of the page numbers' bits, rounded up */
	TCMALLOC_ADDRESS_BITS = 48,
	TCMALLOC_CACHE_LISTS = 32,      /* bytes of a thread cache's list */
	TCMALLOC_CACHE = 4160,
	TCMALLOC_CACHE_TID = 4128,      /* before 2.16: the owner; since then the link */
	TCMALLOC_CACHE_NEXT_OLD = 4144,
	TCMALLOC_CACHE_NEXT = 4128,
};

/* Offsets in a central list. */
enum {
	TCMALLOC_LIST_CLASS = 8,
	TCMALLOC_LIST_EMPTY = 16,       /* heads of lists of spans: each is a span */
	TCMALLOC_LIST_NONEMPTY = 64,
	TCMALLOC_LIST_SPANS = 112,      /* how many */
	TCMALLOC_LIST_FREE = 120,       /* objects in them that are free */
	TCMALLOC_LIST_SLOTS = 128,      /* of the transfer cache: head and tail of each */
	TCMALLOC_LIST_USED = 1152,      /* slots */
	TCMALLOC_SLOTS = 64,
};

/* What allocator_found.extra holds. */
enum { TCMALLOC_EXTRA_CLASSES, TCMALLOC_EXTRA_SIZES, TCMALLOC_EXTRA_ROOT, TCMALLOC_EXTRA_CACHES, TCMALLOC_EXTRA_PAGE, TCMALLOC_EXTRA_LOCK };
/* What allocator_found.layout is. */
enum { TCMALLOC_OLD, TCMALLOC_LOCK_INSIDE /* 2.11: the page heap has its lock */, TCMALLOC_NO_TID /* 2.16 */ };

enum tcmalloc_location { TCMALLOC_IN_USE, TCMALLOC_FREE, TCMALLOC_RETURNED };

struct tcmalloc_span { uint64_t start, length, next, prev, objects; uint32_t refcount; uint8_t sizeclass, location; };

struct tcmalloc {
	const struct target *t;
	const struct allocator_found *found;
	struct window *w;
	struct heap_allocator *a;
	struct allocator_sink *sink;
	unsigned flags;
	unsigned nclasses, page_shift;
	struct tcmalloc_class {
		uint64_t size, batch;
		uint64_t spans, bytes, out, room, pinned;       /* by the spans: objects handed out, objects there is room for */
		uint64_t free, transfer;        /* by the central list */
		uint64_t cached;                /* by threads */
	} class[TCMALLOC_CLASSES];
	struct tcmalloc_large { uint64_t bytes, n; } *large; size_t nlarge;
	uint64_t spans, in_use, free, returned; /* bytes */
	size_t caches;
	uint64_t steps, words;
	struct tcmalloc_extent { uint64_t start, end, map; } meta[64]; size_t nmeta;    /* where metadata was seen, by map */
	uint64_t bad;
	char why[96];
};

/* Something that cannot be: counted, the first one kept in words. */
void tcmalloc_bad(struct tcmalloc *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Metadata was seen here. */
void tcmalloc_meta(struct tcmalloc *m, uint64_t start, uint64_t bytes);
/* The record at addr; -1 when it cannot be read. */
int tcmalloc_span_read(struct window *w, uint64_t addr, struct tcmalloc_span *s);
unsigned tcmalloc_leaf_bits(unsigned page_shift);
uint64_t tcmalloc_cache_next(const struct allocator_found *f);

/* --- tcmalloc_find.c */
size_t tcmalloc_find(const struct target *t, struct allocator_found *out, size_t max);

/* --- tcmalloc_lock.c: the page heap's lock by its exported name, 0 when there is none. */
struct target_region;
uint64_t tcmalloc_exported_lock(const struct target *t, struct window *w, const struct target_region *r);

/* --- tcmalloc_spans.c: all spans, into class, large and the sink. */
void tcmalloc_spans(struct tcmalloc *m);

/* --- tcmalloc_caches.c: transfer caches and threads' caches, into class and, in full mode, the sink. */
void tcmalloc_caches(struct tcmalloc *m);

#endif
