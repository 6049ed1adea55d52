/* mallocng.h: a process with a small mallocng heap, made of bytes: for the unit test and the fuzzer of its reader. Written from the description of
 * the layout, not with the reader's code, but for its structs. */
#ifndef TESTS_MALLOCNG_H
#define TESTS_MALLOCNG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/musl.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

/* Data of libc at BASE, two areas in the break, groups in anonymous memory; one piece, so that one fixture holds it. */
enum { NG_BASE = 0x10000000, NG_CONTEXT = NG_BASE + 0x9c0, NG_RANDOM = NG_BASE + 0x100, NG_LOCK = NG_CONTEXT + 0x3c0, NG_GAP = NG_BASE + 0x1000,
	NG_AREAS = NG_BASE + 0x2000, NG_ANON = NG_BASE + 0x4000, NG_END = NG_BASE + 0x4000 + 0x60000 };
#define NG_SECRET 0x1122334455667788u

struct ng {
	char bytes[NG_END - NG_BASE];
	struct target t;
	unsigned metas;
	uint64_t next;                  /* free anonymous memory */
	/* the truth */
	uint64_t live, requested, free, mapped, nested;
};

static inline void *ng_at(struct ng *n, uint64_t addr) { return n->bytes + (addr - NG_BASE); }
static inline struct musl_context *ng_context(struct ng *n) { return ng_at(n, NG_CONTEXT); }

static inline struct musl_meta *ng_meta(struct ng *n, unsigned i)
{
	return &((struct musl_area *)ng_at(n, NG_AREAS + MUSL_PAGE * (i / MUSL_METAS)))->meta[i % MUSL_METAS];
}

static inline uint64_t ng_meta_addr(struct ng *n, unsigned i) { return NG_BASE + (uint64_t)((char *)ng_meta(n, i) - n->bytes); }

/* A group whose memory is at mem, all free. Returns the number of its meta. */
static inline unsigned ng_group(struct ng *n, uint64_t mem, unsigned sc, unsigned slots, uint64_t pages, int freeable)
{
	unsigned i = n->metas++;
	uint64_t addr = ng_meta_addr(n, i);

	*ng_meta(n, i) = (struct musl_meta){ .mem = mem, .freed = (uint32_t)(((uint64_t)1 << slots) - 1),
		.bits = (slots - 1) | (uint64_t)freeable << 5 | (uint64_t)sc << 6 | pages << 12 };
	memcpy(ng_at(n, mem), &addr, sizeof addr);
	n->free += slots;
	if (sc < MUSL_CLASSES && freeable) ng_context(n)->usage[sc] += slots;
	return i;
}

static inline uint64_t ng_stride(struct ng *n, unsigned meta)
{
	uint64_t bits = ng_meta(n, meta)->bits;

	return !(bits & 31) && bits >> 12 ? (bits >> 12) * MUSL_PAGE - 16 : musl_units[bits >> 6 & 63] * 16u;
}

/* Takes a slot for a block of n bytes that begins `off` bytes into it. Returns the block's address. */
static inline uint64_t ng_take(struct ng *n, unsigned meta, unsigned slot, uint64_t size, uint64_t off)
{
	struct musl_meta *m = ng_meta(n, meta);
	uint64_t stride = ng_stride(n, meta), start = m->mem + 16 + stride * slot, end = start + stride - 4, p = start + off, spare = end - p - size;
	uint8_t *b = ng_at(n, p), *s = ng_at(n, start), *e = ng_at(n, end);
	uint16_t units = (uint16_t)(off / 16), index = (uint16_t)((p - m->mem - 16) / 16);
	uint32_t words = (uint32_t)spare;

	if (off) {
		memcpy(s - 2, &units, 2);
		s[-3] = 0xe0;
	}
	memcpy(b - 2, &index, 2);
	if (spare) e[-(ptrdiff_t)spare] = 0;
	if (spare >= 5) {
		memcpy(e - 4, &words, 4);
		e[-5] = 0;
		spare = 5;
	}
	b[-3] = (uint8_t)(slot | spare << 5);
	m->freed &= ~(1u << slot);
	n->live++;
	n->free--;
	n->requested += size;
	return p;
}

/* Takes a slot for a group in it. */
static inline unsigned ng_nest(struct ng *n, unsigned meta, unsigned slot, unsigned sc, unsigned slots)
{
	uint64_t p = ng_take(n, meta, slot, ng_stride(n, meta) - 4, 0);

	((uint8_t *)ng_at(n, p))[-3] = (uint8_t)(slot | 6 << 5);
	n->live--;
	n->requested -= ng_stride(n, meta) - 4;
	n->nested++;
	return ng_group(n, p, sc, slots, 0, 1);
}

static inline uint64_t ng_map(struct ng *n, uint64_t pages)
{
	uint64_t at = n->next;

	n->next += pages * MUSL_PAGE;
	n->mapped += pages * MUSL_PAGE;
	return at;
}

/* 2028-byte slots, nine of them used: two hold groups of 80-byte slots, and of 496-byte slots, of which one holds 16-byte slots; large blocks, one
   of them aligned; a mapping with one block of a small class; donated memory. */
static inline void ng_fill(struct ng *n)
{
	unsigned big = ng_group(n, ng_map(n, 8), 23, 16, 8, 1), g;

	for (unsigned i = 0; i < 6; i++) ng_take(n, big, i, 2028 - 7 * i, 0);
	ng_take(n, big, 7, 1000, 16 * 40);
	g = ng_nest(n, big, 9, 4, 25);
	for (unsigned i = 0; i < 25; i += 2) ng_take(n, g, i, 76 - i, 0);
	g = ng_nest(n, big, 10, 15, 4);
	ng_take(n, g, 1, 480, 0);
	g = ng_nest(n, g, 2, 0, 30);
	for (unsigned i = 0; i < 30; i += 3) ng_take(n, g, i, i % 13, 0);
	g = ng_group(n, ng_map(n, 40), MUSL_INDIVIDUAL, 1, 40, 1);
	ng_take(n, g, 0, 150000, 4096);
	g = ng_group(n, ng_map(n, 5), 40, 1, 5, 1);
	ng_take(n, g, 0, 20000, 0);
	g = ng_group(n, ng_map(n, 16), 31, 7, 16, 1);   /* slots that are read at their edges only, one in use: pinned */
	ng_take(n, g, 3, 8000, 32);
	g = ng_group(n, NG_GAP + 0x800, 23 - 8, 1, 0, 0);
	n->mapped += 16 + 496;
	g = ng_group(n, NG_GAP + 0xc00, 7, 1, 0, 0);
	ng_take(n, g, 0, 100, 0);
	n->mapped += 16 + 128;
}

static inline void ng_open(struct ng *n)
{
	static const char maps[] =
		"10000000-10002000 rw-p 000a0000 fe:01 77 /lib/ld-musl-x86_64.so.1\n"
		"10002000-10004000 rw-p 00000000 00:00 0 [heap]\n"
		"10004000-10064000 rw-p 00000000 00:00 0\n";
	struct err e;

	n->t = (struct target){ .at_random = NG_RANDOM, .nthreads = 3, .mem = mem_open_fixture(NG_BASE, n->bytes, sizeof n->bytes) };
	if (maps_parse(&n->t.maps, maps, sizeof maps - 1, &e)) abort();
}

static inline void ng_close(struct ng *n)
{
	mem_close(n->t.mem);
	maps_free(&n->t.maps);
}

static inline void ng_build(struct ng *n)
{
	uint64_t secret = NG_SECRET;
	struct musl_context *c = ng_context(n);

	memset(n, 0, sizeof *n);
	n->next = NG_ANON;
	memcpy(ng_at(n, NG_RANDOM + 8), &secret, 8);
	*c = (struct musl_context){ .secret = secret, .init_done = 1, .mmap_counter = 42, .meta_area_head = NG_AREAS, .meta_area_tail = NG_AREAS + MUSL_PAGE,
		.bounces[40 - MUSL_BOUNCE_FIRST - 2] = 150 };
	for (unsigned i = 0; i < 2; i++) {
		struct musl_area *a = ng_at(n, NG_AREAS + i * MUSL_PAGE);
		a->check = secret;
		a->nslots = MUSL_METAS;
		a->next = i ? 0 : NG_AREAS + MUSL_PAGE;
	}
	n->metas = 95;          /* so that both areas are used; free metas are links without memory */
	for (unsigned i = 0; i < 95; i++) ng_meta(n, i)->next = ng_meta_addr(n, i);
	n->mapped = 2 * MUSL_PAGE;
	ng_fill(n);
}

#endif
