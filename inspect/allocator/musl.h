/* musl.h: musl's mallocng as its reader sees it: the layout of its metadata, and what the files of the reader share. For
 * inspect/allocator/musl*.c and their tests only.
 *
 * Layout of musl 1.2.1 to 1.2.6, 64-bit little-endian, src/malloc/mallocng/meta.h: a context in libc's data points to a chain of areas,
 * one page each, full of metas; a meta describes a group: up to 32 slots of one size class. A group is mapped for itself; or it is nested,
 * that is, it lies in one slot of a larger group; or its memory was donated by the loader. Blocks of 131052 bytes and more have a mapping and a
 * meta each. Which slots are free is in the metas alone; how much was asked for is at the edges of each slot. */
#ifndef ALLOCTOP_MUSL_H
#define ALLOCTOP_MUSL_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"

struct mem;

enum {
	MUSL_PAGE = 4096,               /* unit of maplen and size of an area, whatever the page size */
	MUSL_UNIT = 16,                 /* slots are multiples of it; also the size of a group's header */
	MUSL_EDGE = 4,                  /* bytes at the end of each slot that belong to the next slot's header */
	MUSL_CLASSES = 48,
	MUSL_INDIVIDUAL = 63,           /* size class of a block with a mapping of its own */
	MUSL_METAS = 101,               /* in an area */
	MUSL_BOUNCE_FIRST = 7,          /* size class of bounces[0] */
	MUSL_BOUNCES = 32,
	MUSL_BOUNCING = 100,            /* from here on a class is seen to be mapped and unmapped in turns */
	MUSL_NESTED_UNITS = 2048,       /* a nested group is at most half a page; pages of up to 64 KiB */
	MUSL_SLACK_MAX = 65536,         /* bytes of a mapping behind the last of several slots: less than a page */
};

struct musl_context {
	uint64_t secret;
	int32_t init_done;
	uint32_t mmap_counter;
	uint64_t free_meta_head, avail_meta, avail_meta_count, avail_meta_area_count, meta_alloc_shift;
	uint64_t meta_area_head, meta_area_tail, avail_meta_areas;
	uint64_t active[MUSL_CLASSES];
	uint64_t usage[MUSL_CLASSES];   /* slots, of mapped and nested groups */
	uint8_t unmap_seq[MUSL_BOUNCES], bounces[MUSL_BOUNCES];
	uint8_t seq, pad[7];
	uint64_t brk;
};
_Static_assert(sizeof(struct musl_context) == 928, "musl context");
_Static_assert(offsetof(struct musl_context, usage) == 464 && offsetof(struct musl_context, brk) == 920, "musl context");

struct musl_meta { uint64_t prev, next, mem; uint32_t avail, freed; uint64_t bits; };
struct musl_area { uint64_t check, next; int32_t nslots; uint32_t pad; struct musl_meta meta[MUSL_METAS]; uint8_t rest[32]; };
_Static_assert(sizeof(struct musl_area) == MUSL_PAGE, "musl area");

extern const uint16_t musl_units[MUSL_CLASSES];         /* of a slot, by size class */

/* A meta, decoded. The shape is what its bits tell: groups of one shape come in long runs, so it is worked out when the bits change. */
struct musl_group {
	uint64_t bits;                  /* of the meta that the shape is of */
	uint64_t stride;                /* from slot to slot */
	uint64_t mapped;                /* bytes of its own mapping, 0: nested or donated */
	uint64_t extent;                /* from its header to the end of its last slot */
	uint64_t span;                  /* what it occupies: mapped, or extent */
	uint32_t all;                   /* a bit for each slot; 0: the bits make no sense */
	uint32_t slots;
	uint8_t sizeclass, nested, donated, single;     /* single: the one block of a mapping */

	uint64_t mem;                   /* header, then slots */
	uint32_t free;                  /* by slot; the others are used */
};

/* The shape, from the bits of a meta in use. `all` stays 0 when no group of mallocng's has them. */
void musl_shape(struct musl_group *g, uint64_t bits);

/* What must hold of a meta whatever else happens: 1 and *g; 0 when it is not in use, -1 when it makes no sense. *g begins as zeros, and
   keeps the shape from meta to meta. */
static inline int musl_decode(const struct musl_meta *m, struct musl_group *g)
{
	if (!m->mem) return 0;
	if (m->bits != g->bits) musl_shape(g, m->bits);
	g->mem = m->mem;
	g->free = m->avail | m->freed;
	if (!g->all || m->mem % MUSL_UNIT || m->mem >> 56 || m->avail & m->freed || g->free & ~g->all) return -1;
	return g->mapped && m->mem % MUSL_PAGE ? -1 : 1;
}

static inline uint32_t musl_used(const struct musl_group *g) { return g->all & ~g->free; }

/* Population count: not a call into libgcc, which is what the baseline instruction set makes of the builtin. */
static inline uint32_t musl_count(uint32_t x)
{
	x -= x >> 1 & 0x55555555;
	x = (x & 0x33333333) + (x >> 2 & 0x33333333);
	return ((x + (x >> 4)) & 0x0f0f0f0f) * 0x01010101 >> 24;
}

/* The class whose slots hold nested groups of so many bytes; -1 when there is none. */
int musl_container(uint64_t extent);

/* --- musl_find.c */

/* The context of a process: its address and in *how a sentence of evidence; 0 when there is none. */
uint64_t musl_find(const struct target *t, const char **how, struct target_region *where);

/* --- musl_version.c: "1.2.3", or "" where it cannot be known, for the object that r is of */
void musl_version(const struct target *t, const struct target_region *r, char *out, size_t size);

/* --- musl_walk.c: one pass over the areas of a context */

struct musl_walk {
	const struct target *t;
	uint64_t secret, next;          /* of the area to come */
	uint64_t at;                    /* address of the area that musl_walk_area returned */
	uint64_t areas, limit, bad;
	uint64_t anchor, lap, power;    /* of Brent's cycle detection */
	uint64_t low, high;             /* the map that held the last group */
	char *window;
	uint64_t start, bytes, ahead;
};

void musl_walk_open(struct musl_walk *w, const struct target *t, const struct musl_context *c);
void musl_walk_close(struct musl_walk *w);
/* The next area, valid until the next call; NULL at the end, or where the chain breaks, which is counted as bad. */
const struct musl_area *musl_walk_area(struct musl_walk *w);
/* Is the group that the meta describes in memory that the process has? */
int musl_walk_there_slow(struct musl_walk *w, const struct musl_meta *m, const struct musl_group *g);
static inline int musl_walk_there(struct musl_walk *w, const struct musl_meta *m, const struct musl_group *g)
{
	return (g->mem >= w->low && g->mem < w->high && g->span <= w->high - g->mem) || musl_walk_there_slow(w, m, g);
}
/* Decodes a meta of the walk and checks where its group lies: 1, 0 as musl_decode; nonsense is counted and gives 0. */
static inline int musl_walk_group(struct musl_walk *w, const struct musl_meta *m, struct musl_group *g)
{
	int r = musl_decode(m, g);
	if (r > 0 && !musl_walk_there(w, m, g)) r = -1;
	if (r < 0) w->bad++;
	return r > 0;
}

/* --- musl_count.c: what the metas tell in sums */

struct musl_class { uint64_t groups, slots, used, free, pinned, containers, donated; };

struct musl_totals {
	struct musl_class class[MUSL_CLASSES];  /* without single blocks, except in `groups` and `slots` */
	uint64_t mapped, groups, nested, donated, areas;
	uint64_t live, live_bytes, free, free_bytes, single, single_bytes;  /* usable bytes; single: of live */
	uint64_t metadata;              /* areas, headers, and what no slot uses: mapped == live_bytes + free_bytes + metadata */
	uint64_t bad;
};

void musl_totals(struct musl_totals *n, const struct target *t, const struct musl_context *c);

/* --- musl_requested.c: reads the edges of every used slot */

struct musl_sum { uint64_t objects, bytes; };
struct musl_requested { struct musl_sum class[MUSL_CLASSES], single, all; uint64_t bad; };

/* The blocks that n counts. Where others were found, since the heap goes on changing, each class's bytes are those of as many blocks as n has of it,
   at the average of those found. */
void musl_requested(struct musl_requested *r, const struct target *t, const struct musl_context *c, const struct musl_totals *n);

/* --- musl_ranges.c: tells the sink of every byte once. Returns how many pieces made no sense. */
uint64_t musl_ranges(const struct target *t, const struct musl_context *c, const struct musl_totals *n, struct allocator_sink *sink);

/* --- musl_lock.c: the address of __malloc_lock; 0 when nothing in the code or the data tells it */
uint64_t musl_lock(const struct target *t, uint64_t context);
/* May a word of a lock with so many threads around it have this value? */
int musl_lock_plausible(int32_t value, size_t threads);

/* --- musl_code_ARCH.c: machine code at hand. Each load of a word's address near uses of the context adds to that word's vote. */

enum { MUSL_CODE_NEAR = 512 };          /* bytes of code to either side */
struct musl_vote {
	uint64_t addr;                  /* 0: empty slot */
	uint32_t near;                  /* uses of the context near loads of this address */
	uint32_t calls;                 /* of these loads: for a call's first argument */
};
/* Looks at the loads in code[from, to); `code` reaches further, to see what is near. The code stands at addr in the target. Votes are an open
   table of a power of two of slots; when it is full further addresses are left out. */
void musl_code_votes(const uint8_t *code, size_t size, size_t from, size_t to, uint64_t addr, uint64_t context,
                     struct musl_vote *votes, size_t slots);

extern const struct allocator allocator_musl, allocator_musl_bump;

#endif
