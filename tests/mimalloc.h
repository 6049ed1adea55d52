/* mimalloc.h: small mimalloc heaps by hand: the same pages in a segment of 2.0.9, and in the map of 3.0. A page of blocks of 64 bytes: 60 of 100
 * in use, of which 5 were freed by another thread, and, in 2.x, 1 waits in the heap's list. A page of one block. */
#ifndef TESTS_MIMALLOC_H
#define TESTS_MIMALLOC_H

#include "inspect/allocator/mimalloc.h"
#include "tests/sparse.h"

enum {
	MI_DATA = 0x10000000, MI_DATA_SIZE = 0x2000, MI_COOKIE = MI_DATA + 0x800, MI_POINTER = MI_DATA + 0x900,
	MI_MAP = 0x20000000, MI_SUB = MI_MAP + 0x1000, MI_MAP_SIZE = 0x12000,
	MI_SEGMENT = 0x42000000, MI_SLICES = MI_SEGMENT + 264, MI_HEADER_SIZE = 0xa200,
	MI_PAGE = MI_SEGMENT + 0x10000, MI_PAGE_SIZE = 0x2000, MI_BIG = MI_PAGE + 0x10000,
	MI_HEAP = MI_DATA + 0x400 /* the main thread's */, MI_DELAYED = MI_HEAP + 2840, MI_THREAD = 0x7f00,
	MI_GAP = 384, MI_BLOCKS = MI_PAGE + MI_GAP, MI_USED = 60, MI_CAPACITY = 100, MI_REMOTE = 5,
};
#define MI_SECRET 0x123456789abcdef1u

static inline uint64_t mi_block(unsigned n) { return MI_BLOCKS + n * 64; }

/* Lists that both versions have: 30 and 10 free ones, 5 that another thread freed. */
static inline void mi_lists(struct sparse *s)
{
	put_chain(s, mi_block(60), 64, 30);
	put_chain(s, mi_block(90), 64, 10);
	put_chain(s, mi_block(20), 64, MI_REMOTE);
}

static inline void mi_slice(struct sparse *s, unsigned n, unsigned count, unsigned block_size)
{
	put32(s, MI_SLICES + n * 80, count);
	put32(s, MI_SLICES + n * 80 + 28, block_size);
}

static inline void mi_build_segment(struct sparse *s)
{
	uint64_t page = MI_SLICES + 80, big = MI_SLICES + 2 * 80;

	sparse_open(s, "10000000-10002000 rw-p 00000000 08:01 79 /usr/lib/libmimalloc.so.2.0\n"
	               "42000000-44000000 rw-p 00000000 00:00 0 \n");
	sparse_add(s, MI_DATA, MI_DATA_SIZE);
	sparse_add(s, MI_SEGMENT, MI_HEADER_SIZE);
	sparse_add(s, MI_PAGE, MI_PAGE_SIZE);
	put64(s, MI_COOKIE, MI_SECRET);
	put64(s, MI_DELAYED, mi_block(30));
	put64(s, MI_SEGMENT + 216, MI_SEGMENT ^ MI_SECRET);
	put64(s, MI_SEGMENT + 224, 512);
	put64(s, MI_SEGMENT + 232, 1);
	put64(s, MI_SEGMENT + 248, 512);
	put64(s, MI_SEGMENT + 256, MI_THREAD);
	mi_slice(s, 0, 1, 1);
	mi_slice(s, 1, 1, 64);
	mi_slice(s, 2, 2, 131072);
	mi_slice(s, 4, 508, 0);
	put16(s, page + 10, MI_CAPACITY);
	put16(s, page + 12, 1000);
	put64(s, page + 16, mi_block(60));
	put32(s, page + 24, MI_USED);
	put64(s, page + 32, mi_block(90));
	put64(s, page + 40, mi_block(20) | 1);
	put64(s, page + 48, MI_HEAP);
	put16(s, big + 10, 1);
	put16(s, big + 12, 1);
	put32(s, big + 24, 1);
	mi_lists(s);
}

static inline void mi_build_map(struct sparse *s)
{
	uint64_t page = MI_PAGE, big = MI_SUB + 0x10100;

	sparse_open(s, "10000000-10002000 rw-p 00000000 08:01 79 /usr/lib/libmimalloc.so.3.0\n"
	               "20000000-20012000 rw-p 00000000 00:00 0 \n"
	               "42000000-44000000 rw-p 00000000 00:00 0 \n");
	sparse_add(s, MI_DATA, MI_DATA_SIZE);
	sparse_add(s, MI_MAP, MI_MAP_SIZE);
	sparse_add(s, MI_PAGE, MI_PAGE_SIZE);
	put64(s, MI_POINTER, MI_MAP);
	put64(s, MI_MAP + (MI_SEGMENT >> 29) * 8, MI_SUB);
	put64(s, MI_SUB + (MI_PAGE >> 16 & 8191) * 8, page);
	for (unsigned i = 0; i < 2; i++) put64(s, MI_SUB + ((MI_BIG >> 16 & 8191) + i) * 8, big);
	put64(s, page, MI_THREAD);
	put64(s, page + 8, mi_block(60));
	put16(s, page + 16, MI_USED);
	put16(s, page + 18, MI_CAPACITY);
	put16(s, page + 20, 1000);
	put64(s, page + 24, mi_block(90));
	put64(s, page + 32, mi_block(20) | 1);
	put64(s, page + 40, 64);
	put64(s, page + 48, MI_BLOCKS);
	put16(s, big + 16, 1);
	put16(s, big + 18, 1);
	put16(s, big + 20, 1);
	put64(s, big + 40, 131072);
	put64(s, big + 48, MI_BIG);
	mi_lists(s);
}

#endif
