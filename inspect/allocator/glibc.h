/* glibc.h: glibc's malloc as its reader sees it: the layouts, one reading in progress, and who does which part of it. For use by
 * glibc*.c, and by nobody else. Offsets: malloc/malloc.c and malloc/arena.c of glibc 2.17 to 2.43, 64-bit. */
#ifndef ALLOCTOP_GLIBC_H
#define ALLOCTOP_GLIBC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "inspect/allocator/allocator.h"

struct mem;

/* struct malloc_state. What lies between bins and next is alike in all of them. */
struct glibc_layout {
	const char *since, *until;
	uint16_t fastbins, top, bins, next, attached, system_mem, size;       /* 0: has none */
};

/* struct malloc_par */
struct glibc_par {
	const char *since, *until;
	uint16_t n_mmaps, n_mmaps_max, mmapped_mem, sbrk_base, tcache_bins, tcache_count, size;
};

enum {
	GLIBC_ALIGN = 16,
	GLIBC_MINSIZE = 32,
	GLIBC_FENCE = 16,               /* size of the two chunks that end a segment */
	GLIBC_HEADER = 8,               /* what a chunk costs while it is live: its size word */
	GLIBC_STATE = 2208,             /* the largest layout */
	GLIBC_PAR = 144,
	GLIBC_BINS = 127,
	GLIBC_FASTBINS = 10,
	GLIBC_ARENAS = 4096,
	GLIBC_SMALL = 65536,            /* chunks below are counted by their exact size */
	GLIBC_STEPS = 4096,             /* chunks that a quick look may follow in lists */
	GLIBC_NEAR = 16,                /* a walk that lost no more than this part of an arena comes near */
	GLIBC_SPECIALS = 1 << 24,       /* and any look: fastbins keep all that was freed in small pieces, until something large is */
};

enum glibc_bits { GLIBC_PREV_INUSE = 1, GLIBC_MMAPPED = 2, GLIBC_NON_MAIN = 4, GLIBC_BITS = 7 };

struct glibc_chunk { uint64_t prev_size, size, fd, bk; };

struct glibc_arena {
	uint64_t addr, top, top_size, system_mem, attached;
	uint64_t free, cached, live;    /* bytes, filled by the walk */
	uint64_t lost;                  /* bytes in which the walk found no chunks */
	int unknown;                    /* too little of it could be read: live, free and top are not known */
	unsigned char state[GLIBC_STATE];
};

/* A chunk that looks live in the heap and is not. */
struct glibc_special {
	uint64_t addr;                  /* of the chunk */
	uint64_t size;
	enum allocator_range what;      /* CACHED (tcache), FREE (fastbin), METADATA (a tcache itself) */
	uint32_t arena;
};

/* One segment of an arena: chunks in [start, end). */
struct glibc_segment { uint64_t start, end; size_t arena; int has_top; };

struct glibc {
	const struct target *t;
	const struct allocator_found *found;
	const struct glibc_layout *layout;
	const struct glibc_par *par;    /* NULL: mp_ not found */
	uint64_t n_mmaps, mmapped_mem, sbrk_base, tcache_count;
	struct heap_allocator *a;
	struct allocator_sink *sink;
	struct glibc_arena *arena; size_t narenas;
	struct glibc_segment *segment; size_t nsegments;
	struct glibc_special *special; size_t nspecials;
	uint64_t heap_info;             /* bytes of struct heap_info; 0: only the main arena */
	unsigned safe_linking, mangling_known;
	size_t tcaches, bins_used, bins_full;   /* of all tcaches */
	uint64_t tcache_objects, tcache_bytes;  /* by the tcaches' own counts */
	uint64_t mmap_objects, mmap_bytes;      /* found, without their headers */
	uint64_t free_pieces;           /* of the walk: free memory that is no whole page, neighbours taken together */
	struct glibc_count { uint64_t live, free, cached; } *count;     /* [GLIBC_SMALL / GLIBC_ALIGN] */
	char why[160];                  /* the first thing that made no sense */
};

static inline uint64_t glibc_u64(const void *p, size_t at)
{
	uint64_t v;

	memcpy(&v, (const char *)p + at, sizeof v);
	return v;
}

static inline uint32_t glibc_u32(const void *p, size_t at)
{
	uint32_t v;

	memcpy(&v, (const char *)p + at, sizeof v);
	return v;
}

static inline void glibc_range(const struct glibc *g, uint64_t start, uint64_t n, enum allocator_range what)
{
	if (g->sink && n) g->sink->range(g->sink, start, n, what);
}

/* Something that cannot be: counted, the first one kept in words. */
void glibc_bad(struct glibc *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One freed or live chunk in the counts. */
void glibc_count(struct glibc *g, uint64_t size, enum allocator_range what, uint64_t n);
void glibc_special_add(struct glibc *g, uint64_t addr, uint64_t size, enum allocator_range what, size_t arena);

/* glibc_find.c */
extern const struct glibc_layout glibc_layouts[];
extern const struct glibc_par glibc_pars[];
enum { GLIBC_LAYOUTS = 4, GLIBC_PARS = 5 };
size_t glibc_find(const struct target *t, struct allocator_found *out, size_t max);
/* The arenas of the ring; 0, or -1 when it does not close. */
int glibc_ring(const struct target *t, uint64_t main_arena, const struct glibc_layout *l, struct glibc_arena **out, size_t *n);

/* glibc_segments.c: where chunks lie. */
void glibc_segments(struct glibc *g);

/* glibc_bins.c: lists of freed chunks. `steps` is what may still be followed. */
void glibc_fastbins(struct glibc *g, uint64_t *steps);
/* Adds the chunks of all bins as specials of kind FREE; -1 when there are too many. */
int glibc_bins(struct glibc *g, uint64_t *steps);

/* glibc_tcache.c: counts what threads keep, and adds the chunks as specials; -1 when there are too many. */
int glibc_tcache(struct glibc *g, uint64_t *steps);

/* glibc_walk.c: every chunk of every segment; specials must be sorted. */
void glibc_walk(struct glibc *g);
/* Without a walk: what is not in a list is live. */
void glibc_gaps(struct glibc *g);
/* Without any of it: the segments in sums. */
void glibc_sums(struct glibc *g);

/* glibc_mmap.c: chunks with a mapping of their own. */
void glibc_mmapped(struct glibc *g, int everywhere);

#endif
