/* jemalloc.h: a small jemalloc 5.3 heap by hand. Two slabs: 100 of 128 regions of 32 bytes in use, 10 of them in the one tcache; 5 of 32 of 128
 * bytes. A block of 16 KiB. The block with the tcache's stacks. Three dirty pages, eight retained. */
#ifndef TESTS_JEMALLOC_H
#define TESTS_JEMALLOC_H

#include "inspect/allocator/jemalloc.h"
#include "tests/sparse.h"

enum {
	JE_DATA = 0x10000000, JE_INFOS = JE_DATA + 0x100, JE_ARENAS = JE_DATA + 0x1000, JE_ROOT = JE_DATA + 0xa000, JE_DATA_SIZE = 0xb000,
	JE_BLOCK = 0x40000000, JE_BLOCK_SIZE = 0x14000,
	JE_BASE = JE_BLOCK + 0xc0, JE_ARENA = JE_BLOCK + 0x400, JE_BINS = JE_ARENA + 0x1000, JE_EDATA = JE_BLOCK + 0x4000, JE_LIST = JE_BLOCK + 0x6000,
	JE_CACHE = JE_BLOCK + 0x7000, JE_LEAF = JE_BLOCK + 0x10000,
	JE_HEAP = 0x40200000, JE_HEAP_SIZE = 0x1a000, JE_STACKS = JE_HEAP + 0x12000, JE_ROOM = 80 * 8, JE_CACHE_BINS = 41,
	JE_LIVE = 90 + 5 + 1, JE_LIVE_BYTES = 90 * 32 + 5 * 128 + 16384, JE_CACHED = 10, JE_FREE_BYTES = 28 * 32 + 27 * 128 + 11 * 4096,
};

static inline uint64_t je_bin(unsigned szind) { return JE_BINS + szind * 224; }

static inline void je_bin_put(struct sparse *s, unsigned szind, uint64_t nmalloc, uint64_t curregs, uint64_t slabcur)
{
	uint64_t stats = je_bin(szind) + 112;

	put64(s, stats, nmalloc);
	put64(s, stats + 8, nmalloc - curregs);
	put64(s, stats + 24, curregs);
	put64(s, stats + 48, 1);
	put64(s, stats + 64, 1);
	put64(s, je_bin(szind) + 192, slabcur);
	put64(s, je_bin(szind) + 56, 50);       /* its mutex: acquired 50 times, */
	put64(s, je_bin(szind) + 16, 2);        /* twice after a wait, */
	put64(s, je_bin(szind), 1000);          /* of 1000 ns together */
	put64(s, je_bin(szind) + 8, 600);
}

/* An extent: its record, and what the leaf says of its pages. */
static inline uint64_t je_extent(struct sparse *s, unsigned n, uint64_t addr, unsigned pages, unsigned szind, int slab, unsigned state, unsigned nfree)
{
	uint64_t e = JE_EDATA + n * 128u, word = (uint64_t)szind << 48 | e | state << 2 | (unsigned)slab;

	put64(s, e, (uint64_t)nfree << 28 | (uint64_t)szind << 20 | state << 17 | (unsigned)slab << 12);
	put64(s, e + 8, addr);
	put64(s, e + 16, pages * 4096u);
	for (unsigned i = 0; i < pages; i++)
		if (slab || !i || i + 1 == pages) put64(s, JE_LEAF + ((addr >> 12 & 0x3ffff) + i) * 8, word);
	return e;
}

static inline void je_caches(struct sparse *s)
{
	put64(s, JE_ARENA + 0x40, JE_LIST);
	put64(s, JE_LIST, JE_LIST);
	put64(s, JE_LIST + 8, JE_LIST);
	put64(s, JE_LIST + 16, JE_CACHE);
	put64(s, JE_LIST + 24, JE_ARENA);
	for (unsigned i = 0; i < JE_CACHE_BINS; i++) {
		uint64_t start = JE_STACKS + 8 + i * JE_ROOM, end = start + JE_ROOM, head = i == 2 ? end - JE_CACHED * 8 : end;
		put64(s, JE_CACHE + i * 24, head);
		put16(s, JE_CACHE + i * 24 + 18, start & 0xffff);
		put16(s, JE_CACHE + i * 24 + 20, end & 0xffff);
		for (unsigned k = 0; i == 2 && k < JE_CACHED; k++) put64(s, head + k * 8, JE_HEAP + (k + 50) * 32);
	}
}

static inline void je_build(struct sparse *s)
{
	struct jemalloc_bin_info info[JEMALLOC_BINS];
	uint64_t e;

	sparse_open(s, "10000000-1000b000 rw-p 00000000 08:01 77 /usr/lib/libjemalloc.so.2\n"
	               "40000000-40200000 rw-p 00000000 00:00 0 \n"
	               "40200000-4021a000 rw-p 00000000 00:00 0 \n");
	sparse_add(s, JE_DATA, JE_DATA_SIZE);
	sparse_add(s, JE_BLOCK, JE_BLOCK_SIZE);
	sparse_add(s, JE_HEAP, JE_HEAP_SIZE);
	jemalloc_infos(NULL, 0, info);
	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		put64(s, JE_INFOS + i * 40, info[i].size);
		put64(s, JE_INFOS + i * 40 + 8, info[i].slab_size);
		put32(s, JE_INFOS + i * 40 + 16, info[i].nregs);
		put32(s, JE_INFOS + i * 40 + 20, 1);
	}
	put64(s, JE_DATA + 0x20, JE_ARENA);     /* a variable that points to the first arena too */
	put64(s, JE_DATA + 0x28, 4711);
	put64(s, JE_ARENAS, JE_ARENA);
	put64(s, JE_ROOT + (JE_HEAP >> 30) * 8, JE_LEAF);
	put64(s, JE_BLOCK, 2 << 20);
	put64(s, JE_BASE + 0xa0, JE_BLOCK);
	put64(s, JE_BASE + 0x800, 0x14000);     /* handed out, in pages */
	put64(s, JE_BASE + 0x808, 2 << 20);
	put32(s, JE_ARENA, 1);
	put64(s, JE_BINS - 16, JE_BASE);
	e = je_extent(s, 0, JE_HEAP, 1, 2, 1, 0, 28);
	put32(s, e + JEMALLOC_BITMAP + 12, 0xfffffff0);
	je_bin_put(s, 2, 200, 100, e);
	e = je_extent(s, 1, JE_HEAP + 0x1000, 1, 8, 1, 0, 27);
	put32(s, e + JEMALLOC_BITMAP, 0xffffffe0);
	je_bin_put(s, 8, 5, 5, e);
	je_extent(s, 2, JE_HEAP + 0x2000, 5, 36, 0, 0, 0);
	je_extent(s, 3, JE_HEAP + 0x7000, 3, JEMALLOC_SIZES, 0, 1, 0);
	je_extent(s, 4, JE_HEAP + 0xa000, 8, JEMALLOC_SIZES, 0, 3, 0);
	je_extent(s, 5, JE_STACKS, 8, jemalloc_szind(28672), 0, 0, 0);
	je_caches(s);
}

#endif
