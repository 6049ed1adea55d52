/* oldmalloc.h: a process with a small heap of musl's former allocator, made of bytes, for the unit test and the fuzzer of its reader: no packaged libc has
 * that allocator any more. Chunks are laid down and put into bins as musl 1.1.24's malloc.c does it: both sizes of a chunk agree, free ones are
 * in the bin that bin_index names, areas begin with a used chunk of size 0 and end with another. */
#ifndef TESTS_OLDMALLOC_H
#define TESTS_OLDMALLOC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/oldmalloc.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

/* Data of libc at BASE, with memory donated at its end; the break; anonymous memory with an area, mapped chunks, and what is not ours. */
enum { OM_BASE = 0x10000000, OM_STATE = OM_BASE + 0xb40, OM_DONATED = OM_BASE + 0x1f10, OM_BREAK = OM_BASE + 0x2000, OM_ANON = OM_BASE + 0x12000,
	OM_END = OM_ANON + 0x60000 };

struct om {
	char bytes[OM_END - OM_BASE];
	struct target t;
	/* the truth */
	uint64_t live, live_bytes, free, free_bytes, mapped, large;
};

static inline void *om_at(struct om *o, uint64_t addr) { return o->bytes + (addr - OM_BASE); }
static inline struct oldmalloc_state *om_state(struct om *o) { return om_at(o, OM_STATE); }
static inline struct oldmalloc_chunk *om_chunk(struct om *o, uint64_t addr) { return om_at(o, addr); }

/* The bin of a chunk size, counted out: 32-byte steps at first, then four to a doubling, all above 224 KiB in the last. */
static inline unsigned om_bin(uint64_t size)
{
	uint64_t x = size / 32 - 1, top = 32, step = 8;
	unsigned bin = 32;

	if (x <= 32) return (unsigned)x;
	for (; bin < 63; bin++) {
		if (x < top + step) return bin;
		top += step;
		if (top == 8 * step) step *= 2;
	}
	return 63;
}

/* Puts a free chunk at the end of its bin's list. */
static inline void om_free(struct om *o, uint64_t addr)
{
	struct oldmalloc_chunk *c = om_chunk(o, addr);
	unsigned k = om_bin(c->csize);
	struct oldmalloc_bin *b = &om_state(o)->bin[k];
	uint64_t self = oldmalloc_bin_chunk(OM_STATE, k);

	c->next = self;
	c->prev = b->head && b->head != self ? b->tail : self;
	if (c->prev == self) b->head = addr;
	else om_chunk(o, c->prev)->next = addr;
	b->tail = addr;
	om_state(o)->binmap |= (uint64_t)1 << k;
}

/* Chunks from addr on: sizes in bytes, negative: free; 0 ends. Returns the end of the closing chunk. */
static inline uint64_t om_area(struct om *o, uint64_t addr, const long *sizes)
{
	uint64_t last = 1, at = addr;

	for (; *sizes; sizes++) {
		uint64_t size = (uint64_t)labs(*sizes);
		struct oldmalloc_chunk *c = om_chunk(o, at);
		c->psize = last;
		c->csize = last = size | (*sizes > 0);
		if (*sizes < 0) {
			om_free(o, at);
			o->free++;
			o->free_bytes += size - 16;
		} else {
			o->live++;
			o->live_bytes += size - 16;
		}
		at += size;
	}
	om_chunk(o, at)->psize = last;
	om_chunk(o, at)->csize = 1;
	return at + 16;
}

/* A chunk with a mapping of its own. */
static inline void om_map(struct om *o, uint64_t addr, uint64_t bytes)
{
	om_chunk(o, addr + 16)->psize = 16;
	om_chunk(o, addr + 16)->csize = bytes - 16;
	o->live++;
	o->large++;
	o->live_bytes += bytes - 32;
	o->mapped += bytes;
}

static inline void om_open(struct om *o)
{
	static const char maps[] =
		"10000000-10001000 rw-p 000a0000 fe:01 77 /lib/ld-musl-x86_64.so.1\n"
		"10001000-10002000 rw-p 00000000 00:00 0\n"
		"10002000-10012000 rw-p 00000000 00:00 0 [heap]\n"
		"10012000-10072000 rw-p 00000000 00:00 0\n";
	struct err e;

	o->t = (struct target){ .nthreads = 1, .mem = mem_open_fixture(OM_BASE, o->bytes, sizeof o->bytes) };
	if (maps_parse(&o->t.maps, maps, sizeof maps - 1, &e)) abort();
}

static inline void om_close(struct om *o)
{
	mem_close(o->t.mem);
	maps_free(&o->t.maps);
}

static inline void om_build(struct om *o)
{
	static const long donated[] = { 96, -64, 0 };
	static const long first[] = { 32, 32, -96, 64, 1024, -4096, 32768, -64, 9024, -18304, 0 };
	static const long second[] = { 64, -96, 128, -3776, 0 };

	memset(o, 0, sizeof *o);
	/* bins that were used and are empty again; the others were never locked */
	for (unsigned k = 0; k < 20; k++) om_state(o)->bin[k].head = om_state(o)->bin[k].tail = oldmalloc_bin_chunk(OM_STATE, k);
	o->mapped += om_area(o, OM_DONATED, donated) - OM_DONATED;
	om_area(o, OM_BREAK + 16, first);
	o->mapped += OM_ANON - OM_BREAK;
	om_area(o, OM_ANON + 16, second);
	o->mapped += 0x1000;
	/* a foreign page, then two mapped chunks, of which the second was aligned to 1024 bytes and shrunk by realloc: its first header is stale */
	memset(om_at(o, OM_ANON + 0x1000), 0x55, 0x1000);
	om_map(o, OM_ANON + 0x2000, 0x39000);
	om_chunk(o, OM_ANON + 0x3b000 + 16)->psize = 16;
	om_chunk(o, OM_ANON + 0x3b000 + 16)->csize = 0x3a000 - 16;
	om_chunk(o, OM_ANON + 0x3b000 + 1008)->psize = 1008;
	om_chunk(o, OM_ANON + 0x3b000 + 1008)->csize = 0x5000 - 1008;
	o->live++;
	o->large++;
	o->live_bytes += 0x5000 - 1024;
	o->mapped += 0x5000;
}

#endif
