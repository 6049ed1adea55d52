/* tcmalloc.h: a small heap of gperftools 2.10 by hand. A span of class 4 (32 bytes): 200 of 256 objects handed out, of which 32 are in the
 * transfer cache and 8 in the one thread's cache. A block of 16 KiB. Four free pages, three returned ones. */
#ifndef TESTS_TCMALLOC_H
#define TESTS_TCMALLOC_H

#include "inspect/allocator/tcmalloc.h"
#include "tests/sparse.h"

enum {
	TC_DATA = 0x10000000, TC_CENTRAL = TC_DATA + 0x1000, TC_CLASSES = 41, TC_SIZES = TC_DATA + 0x10004, TC_ROOT = TC_DATA + 0x18000, TC_DATA_SIZE = 0x19000,
	TC_STATS = TC_ROOT + (1 << 20) + 8 + 96 + 12288, TC_STATS_PAGE = TC_STATS & ~4095,
	TC_META = 0x30000000, TC_META_SIZE = 0x6000, TC_CACHE = TC_META + 0x1000, TC_SPANS = TC_META + 0x4000,
	TC_HEAP = 0x40000000, TC_HEAP_SIZE = 10 * 8192, TC_LEAF = 0x50000000, TC_LEAF_PART = TC_LEAF + (TC_HEAP >> 13) * 8,
	TC_BIG = TC_HEAP + 8192, TC_FREE = TC_HEAP + 3 * 8192, TC_RETURNED = TC_HEAP + 7 * 8192,
	TC_OUT = 200, TC_TRANSFER = 32, TC_CACHED = 8, TC_LIVE = TC_OUT - TC_TRANSFER - TC_CACHED,
};

static inline uint64_t tc_list(unsigned k) { return TC_CENTRAL + k * TCMALLOC_STRIDE; }

static inline uint64_t tc_span(struct sparse *s, unsigned n, uint64_t addr, uint64_t length, unsigned refcount, unsigned sizeclass, unsigned location)
{
	uint64_t span = TC_SPANS + n * 48;

	put64(s, span, addr >> 13);
	put64(s, span + 8, length);
	put32(s, span + 40, refcount | sizeclass << 16 | location << 24);
	put64(s, TC_LEAF + (addr >> 13) * 8, span);
	put64(s, TC_LEAF + ((addr >> 13) + length - 1) * 8, span);
	return span;
}

static inline void tc_central(struct sparse *s)
{
	for (unsigned k = 0; k < TC_CLASSES; k++) {
		uint64_t size = k + 1 == TC_CLASSES ? 256 << 10 : k * 8;
		put64(s, tc_list(k) + 8, k);
		put64(s, tc_list(k) + 32, tc_list(k) + 16);
		put64(s, tc_list(k) + 40, tc_list(k) + 16);
		put64(s, tc_list(k) + 80, tc_list(k) + 64);
		put64(s, tc_list(k) + 88, tc_list(k) + 64);
		put32(s, TC_SIZES + k * 4, size);
		put32(s, TC_SIZES - 512 + k * 4, 32);
		put32(s, TC_CACHE + k * 32 + 24, size);
	}
}

static inline void tc_build(struct sparse *s)
{
	uint64_t span;

	sparse_open(s, "10000000-10200000 rw-p 00000000 08:01 78 /usr/lib/libtcmalloc.so.4\n"
	               "30000000-30006000 rw-p 00000000 00:00 0 \n"
	               "40000000-40014000 rw-p 00000000 00:00 0 \n"
	               "50000000-50200000 rw-p 00000000 00:00 0 \n");
	sparse_add(s, TC_DATA, TC_DATA_SIZE);
	sparse_add(s, TC_STATS_PAGE, 8192);
	sparse_add(s, TC_META, TC_META_SIZE);
	sparse_add(s, TC_HEAP, TC_HEAP_SIZE);
	sparse_add(s, TC_LEAF_PART, 4096);
	tc_central(s);
	put64(s, TC_ROOT, TC_LEAF);
	put64(s, TC_DATA + 0x40, TC_CACHE);
	put64(s, TC_CACHE + TCMALLOC_CACHE_TID, 0x7f0000001000);
	span = tc_span(s, 0, TC_HEAP, 1, TC_OUT, 4, TCMALLOC_IN_USE);
	put64(s, span + 16, tc_list(4) + 64);
	put64(s, span + 24, tc_list(4) + 64);
	put64(s, span + 32, TC_HEAP + TC_OUT * 32);     /* the last 56 are free */
	put_chain(s, TC_HEAP + TC_OUT * 32, 32, 256 - TC_OUT);
	put64(s, tc_list(4) + 80, span);
	put64(s, tc_list(4) + 88, span);
	put64(s, tc_list(4) + TCMALLOC_LIST_SPANS, 1);
	put64(s, tc_list(4) + TCMALLOC_LIST_FREE, 256 - TC_OUT);
	put64(s, tc_list(4) + TCMALLOC_LIST_SLOTS, TC_HEAP + 100 * 32);
	put32(s, tc_list(4) + TCMALLOC_LIST_USED, 1);
	put_chain(s, TC_HEAP + 100 * 32, 32, TC_TRANSFER);
	put64(s, TC_CACHE + 4 * 32, TC_HEAP + 10 * 32);
	put32(s, TC_CACHE + 4 * 32 + 8, TC_CACHED);
	put_chain(s, TC_HEAP + 10 * 32, 32, TC_CACHED);
	tc_span(s, 1, TC_BIG, 2, 1, 0, TCMALLOC_IN_USE);
	tc_span(s, 2, TC_FREE, 4, 0, 0, TCMALLOC_FREE);
	tc_span(s, 3, TC_RETURNED, 3, 0, 0, TCMALLOC_RETURNED);
	put64(s, TC_STATS, 10 * 8192);
	put64(s, TC_STATS + 8, 4 * 8192);
	put64(s, TC_STATS + 16, 3 * 8192);
}

#endif
