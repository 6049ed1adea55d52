/* jemalloc.h: jemalloc's state as its reader sees it, and what the files of the reader share. For inspect/allocator/jemalloc*.c and their
 * tests; but jemalloc_mutex_read is for whoever shows locks.
 *
 * jemalloc 5.0 to 5.3 with pages of 4 KiB on 64-bit machines; sources read: arena.h, bin.h, bin_info.h, bin_stats.h, mutex_prof.h,
 * edata.h (extent_structs.h before 5.3), rtree.h, base.h, cache_bin.h. What there is:
 * - an array of pointers to arenas, in the library's data; behind the struct of an arena its bins, one or more for each small class, with
 *   statistics and the bin's mutex, that keeps statistics too. Where in an arena they are differs from build to build: it is searched for.
 * - a radix tree from page to extent, in the library's data, two levels of 18 bits. Its leaves say of the first and the last page of each
 *   extent, and of all pages of a slab, which class it has and whether it is in use. That is all of the heap, in 2 MiB per GiB.
 * - an extent's own record (edata), with the bitmap of a slab's free regions.
 * - base blocks of 2 MiB and more for all metadata; arenas are in them.
 * - tcaches, linked from the arena of their thread. */
#ifndef ALLOCTOP_JEMALLOC_H
#define ALLOCTOP_JEMALLOC_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"

struct window;

enum {
	JEMALLOC_PAGE = 4096,
	JEMALLOC_BINS = 36,             /* small classes, up to 14 KiB */
	JEMALLOC_SIZES = 232,           /* all classes; as a class: none, the extent is free */
	JEMALLOC_ARENAS = 4095,
	JEMALLOC_SHARDS = 64,           /* bins of one class, at most */
	JEMALLOC_BLOCK = 2 << 20,       /* base blocks are aligned to this and multiples of it */
	JEMALLOC_LEAF_SHIFT = 30,       /* of an address: which leaf */
	JEMALLOC_LEAF_MASK = 0x3ffff,
	JEMALLOC_EDATA = 128,
	JEMALLOC_BITMAP = 64,           /* where in it the bitmap is; a bit is set when the region is free */
	JEMALLOC_MUTEX_WORD = 64,       /* from a mutex's counters to its lock word */
};

/* What differs between versions. Offsets in a bin; bit positions in an extent's first word and in a word of a leaf. */
struct jemalloc_layout {
	const char *version;
	uint16_t stride, stats, slabcur;
	uint8_t state, szind, nfree;
	uint8_t leaf_state;             /* 0: a leaf does not have it, the record does */
	uint8_t has_infos;              /* the table of small classes is in its data */
	uint8_t cache_by_count;         /* a cache bin counts what it has; else the low bits of its ends tell */
	uint8_t ecache_numbered;        /* a collection of free extents says its arena's number */
	uint64_t leaf_pointer;          /* bits of a leaf's word that are the extent's address */
};
extern const struct jemalloc_layout jemalloc_layouts[];
enum { JEMALLOC_LAYOUTS = 4 };

/* What allocator_found.extra holds. */
enum { JEMALLOC_EXTRA_BINS, JEMALLOC_EXTRA_INFOS, JEMALLOC_EXTRA_ROOT };

/* A small class. */
struct jemalloc_bin_info { uint64_t size, slab_size; uint32_t nregs, n_shards; };

struct jemalloc_mutex { uint64_t ops, waits, spins, switches, wait_ns, max_wait_ns; };

struct jemalloc_bin { uint64_t nmalloc, ndalloc, nrequests, curregs, nslabs, curslabs; struct jemalloc_mutex mutex; };

struct jemalloc_arena {
	uint64_t addr;
	unsigned index, threads;
	uint64_t small, slabs, large, held, dirty;      /* bytes: of regions, of slabs, of large extents, of free extents, of these the dirty ones */
	uint64_t cached, own;           /* of small and large: in tcaches, and for them */
	struct jemalloc_bin bin[JEMALLOC_BINS];  /* shards summed */
};

enum jemalloc_state { JEMALLOC_ACTIVE, JEMALLOC_DIRTY, JEMALLOC_MUZZY, JEMALLOC_RETAINED, JEMALLOC_OTHER, JEMALLOC_STATES };

/* One reading. */
struct jemalloc {
	const struct target *t;
	const struct allocator_found *found;
	const struct jemalloc_layout *layout;
	struct window *w;
	struct heap_allocator *a;
	struct allocator_sink *sink;
	unsigned flags;
	struct jemalloc_bin_info info[JEMALLOC_BINS];
	struct jemalloc_arena *arena; size_t narenas;
	struct jemalloc_count { uint64_t extents, live, cached, pinned, own /* jemalloc's, for tcaches */; } count[JEMALLOC_SIZES];
	uint64_t live_pages;            /* bytes of large extents, with what they are padded by */
	uint64_t state_bytes[JEMALLOC_STATES];  /* of extents that are not in use */
	uint64_t metadata, metadata_mapped;     /* of bases */
	size_t tcaches;                 /* found; */
	int tcaches_known;              /* all of them */
	int by_arena;                   /* large, held and dirty are filled in */
	uint64_t extents, bad;
	char why[96];
};

/* Something that cannot be: counted, the first one kept in words. */
void jemalloc_bad(struct jemalloc *j, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
uint64_t jemalloc_size(unsigned szind);
/* The first class that holds n bytes. */
unsigned jemalloc_szind(uint64_t n);

/* The counters of the mutex whose lock word is at addr (heap_lock.addr): 0, or -1 when they cannot be read. */
int jemalloc_mutex_read(const struct target *t, uint64_t addr, struct jemalloc_mutex *out);

/* --- jemalloc_find.c */
size_t jemalloc_find(const struct target *t, struct allocator_found *out, size_t max);
/* The table of small classes at addr: 0, or -1 when it is none. At 0 it is the one that jemalloc is built with. */
int jemalloc_infos(struct window *w, uint64_t addr, struct jemalloc_bin_info *info);

/* --- jemalloc_bins.c */
/* The bins of the arena at addr, summed by class: how many records make no sense. `lock` may be NULL; it is told each bin. */
typedef void jemalloc_bin_fn(void *arg, unsigned szind, unsigned shard, uint64_t mutex, const struct jemalloc_mutex *m);
size_t jemalloc_bins(struct window *w, const struct jemalloc_layout *l, const struct jemalloc_bin_info *info, uint64_t bins, struct jemalloc_bin *out, jemalloc_bin_fn *fn, void *arg);
/* One record of statistics: 1 when it may be one, 2 when it has counted something. */
int jemalloc_is_stats(const void *stats);

/* The counters of a mutex, and the beginning of its lock: may they be that? */
int jemalloc_is_mutex(const void *mutex);

/* --- jemalloc_extents.c: the whole tree, into count, state_bytes and the sink. */
void jemalloc_extents(struct jemalloc *j);

/* --- jemalloc_tcache.c: what threads keep, into count[].cached, arenas and the sink. */
void jemalloc_tcaches(struct jemalloc *j);

/* --- jemalloc_base.c: metadata, into the sink. */
void jemalloc_base(struct jemalloc *j);

/* --- jemalloc_decay.c */
struct jemalloc_decay { int64_t ms /* -1: never */; uint64_t epoch /* when it was last looked after, CLOCK_MONOTONIC, ns */; };
/* Of dirty pages and of muzzy ones; -1 when it was not found. */
int jemalloc_decay(const struct jemalloc *j, const struct jemalloc_arena *a, struct jemalloc_decay out[2]);
/* As facts, after jemalloc_extents; nothing when an arena's is not found. */
void jemalloc_decays(struct jemalloc *j);

/* --- jemalloc_ecache.c: where in an arena the three collections of free extents are, which is the same in all of them; -1 when it was not found. */
struct jemalloc_ecaches { size_t first, size; };
int jemalloc_ecaches(const struct jemalloc *j, const struct jemalloc_arena *a, struct jemalloc_ecaches *out);
/* Tells those of their locks that were taken; "dirty extents". */
typedef void jemalloc_ecache_fn(void *arg, const struct jemalloc_arena *a, const char *name, uint64_t mutex);
void jemalloc_ecache_locks(const struct jemalloc *j, const struct jemalloc_arena *a, const struct jemalloc_ecaches *at, jemalloc_ecache_fn *fn, void *arg);

#endif
