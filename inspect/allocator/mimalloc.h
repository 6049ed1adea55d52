/* mimalloc.h: mimalloc as its reader sees it, and what the files of the reader share. For inspect/allocator/mimalloc*.c and their tests.
 *
 * mimalloc 2.0 to 3.4, release builds, 64-bit; sources read: types.h, internal.h, segment.c, page.c, page-map.c, init.c, arena.c.
 * Memory is in pages (of mimalloc's: 64 KiB and more), each of blocks of one size, each of one thread. A page counts the blocks in use,
 * with those that another thread has freed and that wait in a list of the page (xthread_free) or, in 2.x, of the owner's heap.
 * - 2.x: pages lie in segments, aligned to their size, which begin with a header and a record for each slice of 64 KiB. The header has
 *   its own address, xored with a number that is in the library's data.
 * - 3.x: a two-level map from slices to pages' records, a pointer to which is in the library's data. */
#ifndef ALLOCTOP_MIMALLOC_H
#define ALLOCTOP_MIMALLOC_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"

struct window;

enum {
	MIMALLOC_SLICE = 64 << 10,
	MIMALLOC_SUB = 8192,            /* slices of one part of the map of 3.x */
	MIMALLOC_ROOT = 1 << 19,        /* parts */
	MIMALLOC_PATIENCE = 1 << 20,    /* blocks of lists followed in quick mode */
	MIMALLOC_RECORD = 128,          /* of a page; the longest is 120 */
};

/* A segment's header and its slices' records. */
struct mimalloc_segments {
	const char *version;
	uint32_t align;
	uint16_t cookie, slices_used, info_slices, kind, entries, thread, slice, slice_size, delayed /* in a heap */;
	uint8_t has_start;              /* since 2.1.4 a page says where its blocks begin, and its size in 64 bits */
};
extern const struct mimalloc_segments mimalloc_segments[];
enum { MIMALLOC_SEGMENTS = 5, MIMALLOC_MAP = MIMALLOC_SEGMENTS /* allocator_found.layout of 3.x */ };

/* What allocator_found.extra holds: 2.x: the number that addresses are xored with. */
enum { MIMALLOC_EXTRA_COOKIE };

/* One page, of whichever version. */
struct mimalloc_page {
	uint64_t start, bytes;          /* all of it */
	uint64_t blocks;                /* where they begin, 0: not said */
	uint64_t block_size;
	uint32_t used, capacity, reserved;
	uint64_t free, local, remote;   /* lists */
	uint64_t thread;                /* the owner's thread pointer; 0: abandoned */
	uint64_t heap;
};

struct mimalloc {
	const struct target *t;
	const struct allocator_found *found;
	const struct mimalloc_segments *layout; /* NULL: 3.x */
	struct window *w;
	struct heap_allocator *a;
	struct allocator_sink *sink;
	unsigned flags;
	struct mimalloc_owner { uint64_t thread, mapped, live, free; } *owner; size_t nowners;
	uint64_t *heap; size_t nheaps;          /* of which pages were seen */
	struct mimalloc_arena { uint64_t addr, used; } arena[256]; size_t narenas;      /* 3.x: likewise, and where the last page of each ends */
	uint64_t pages, abandoned_pages, abandoned_bytes, remote, unused_bytes, metadata, steps;
	int impatient;                  /* more blocks in lists than were followed: what is live is not known */
	unsigned char *is_free;
	uint64_t bad;
	int encoded;                    /* lists cannot be followed */
	char why[96];
};

/* Something that cannot be: counted, the first one kept in words. */
void mimalloc_bad(struct mimalloc *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mimalloc_tell(const struct mimalloc *m, uint64_t start, uint64_t bytes, enum allocator_range what);
/* Appends to a set if it is not there; 1 when it was new. */
int mimalloc_remember(uint64_t **set, size_t *n, uint64_t v);

/* --- mimalloc_page.c: one page into classes, owners and the sink. */
void mimalloc_page_see(struct mimalloc *m, const struct mimalloc_page *p);
/* Some blocks of this size that counted as used had been freed by other threads. -1: so many there are not. */
int mimalloc_page_unuse(struct mimalloc *m, uint64_t block_size, uint64_t thread, uint64_t n);

/* --- mimalloc_segment.c: 2.x */
size_t mimalloc_segment_find(const struct target *t, struct window *w, struct allocator_found *out);
void mimalloc_segment_walk(struct mimalloc *m);

/* --- mimalloc_map.c: 3.x */
size_t mimalloc_map_find(const struct target *t, struct window *w, struct allocator_found *out);
void mimalloc_map_walk(struct mimalloc *m);

#endif
