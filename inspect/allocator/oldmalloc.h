/* oldmalloc.h: musl's allocator before mallocng as its reader sees it. For inspect/allocator/oldmalloc*.c and their tests only.
 *
 * Layout of musl up to 1.2.0, and later with --with-malloc=oldmalloc, 64-bit: src/malloc/malloc_impl.h, malloc.c, expand_heap.c. One static
 * struct holds 64 bins of free chunks. Chunks lie one behind the other in areas, each with its size and its predecessor's in front; the lowest bit of
 * a size says in use, and both copies of a size carry it. An area begins with a predecessor of size 0 and ends with a chunk of size 0. Chunks of
 * more than 224 KiB have a mapping of their own, and their size is even. */
#ifndef ALLOCTOP_OLDMALLOC_H
#define ALLOCTOP_OLDMALLOC_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"

enum {
	OLDMALLOC_BINS = 64,
	OLDMALLOC_ALIGN = 32,           /* chunks are multiples of it, and begin 16 bytes before one */
	OLDMALLOC_HEADER = 16,
	OLDMALLOC_IN_USE = 1,
	OLDMALLOC_SIZES = 0x1c00,       /* chunks of up to so many times 32 bytes are not mapped for themselves */
	OLDMALLOC_PAGE = 4096,
};

struct oldmalloc_chunk { uint64_t psize, csize, next, prev; };
struct oldmalloc_bin { int32_t lock[2]; uint64_t head, tail; };
struct oldmalloc_state { uint64_t binmap; struct oldmalloc_bin bin[OLDMALLOC_BINS]; int32_t merge_lock[2]; };
_Static_assert(sizeof(struct oldmalloc_state) == 1552, "oldmalloc state");

/* An empty list points to where a chunk would have to be for its links to lie on the bin's. */
static inline uint64_t oldmalloc_bin_chunk(uint64_t state, unsigned bin) { return state + sizeof(struct oldmalloc_bin) * bin; }

/* --- oldmalloc_find.c: the address of the state, 0 when there is none */
uint64_t oldmalloc_find(const struct target *t, struct target_region *where);

/* --- oldmalloc_walk.c: the chunks, by reading their headers all over the heap */

struct oldmalloc_tally { uint64_t live, free; };

struct oldmalloc_walk {
	const struct target *t;
	struct allocator_sink *sink;    /* NULL: none */
	struct oldmalloc_tally tally[OLDMALLOC_SIZES + 1];      /* by size / 32 */
	uint64_t mapped, live, live_bytes, free, free_bytes, large, large_bytes, areas, mappings, bad;
	char *window;
	uint64_t start, bytes;
	uint64_t run, run_bytes;        /* chunks of a kind that the sink is yet to hear of */
	enum allocator_range run_what;
};

/* All of them. The caller frees nothing. */
void oldmalloc_walk(struct oldmalloc_walk *w, const struct target *t, struct allocator_sink *sink);

extern const struct allocator allocator_oldmalloc;

#endif
