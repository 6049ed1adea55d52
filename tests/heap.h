/* heap.h: a process with glibc's malloc, made by hand in a few hundred KiB: for the unit test and the fuzzer of its reader. Two arenas,
 * free chunks in a bin and in a fastbin, a tcache, a chunk with a mapping of its own. It is built from the same offsets that the reader
 * uses, so it tells whether the reader keeps its promises, not whether the offsets are right: that is what real programs are for. */
#ifndef TESTS_HEAP_H
#define TESTS_HEAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/glibc.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

enum {
	FIX_DATA = 0x13fe0000, FIX_HEAP = 0x13ff0000, FIX_ARENA = 0x14000000, FIX_MMAP = 0x14010000, FIX_TLS = 0x14020000,
	FIX_END = 0x14030000, FIX_SIZE = FIX_END - FIX_DATA,
	FIX_MAIN = FIX_DATA + 0x1100, FIX_PAR = FIX_DATA + 0x200, FIX_TP = FIX_TLS + 0x8000, FIX_BLOCK = 0x10000,
};

struct fixture {
	unsigned char *bytes;
	struct target target;
	struct target_thread thread;
	uint64_t live_objects, live_bytes, free_bytes, cached_objects, cached_bytes;    /* the truth */
};

static inline void fix_u64(struct fixture *f, uint64_t at, uint64_t v) { memcpy(f->bytes + (at - FIX_DATA), &v, 8); }
static inline void fix_u32(struct fixture *f, uint64_t at, uint32_t v) { memcpy(f->bytes + (at - FIX_DATA), &v, 4); }
static inline void fix_u16(struct fixture *f, uint64_t at, uint16_t v) { memcpy(f->bytes + (at - FIX_DATA), &v, 2); }

static inline void fix_bins(struct fixture *f, uint64_t arena, const struct glibc_layout *l)
{
	for (unsigned i = 0; i < GLIBC_BINS; i++) {
		uint64_t bin = arena + l->bins + 16 * i - 16;
		fix_u64(f, bin + 16, bin);
		fix_u64(f, bin + 24, bin);
	}
}

/* Chunks from `at` to `end` - 0x1000, every fifth free and in the unsorted bin; then the top. */
static inline void fix_chunks(struct fixture *f, uint64_t arena, const struct glibc_layout *l, uint64_t at, uint64_t end)
{
	uint64_t bin = arena + l->bins - 16, last = bin, bits = arena == FIX_MAIN ? 0 : GLIBC_NON_MAIN;
	unsigned n = 0, was_free = 0;

	while (at < end - 0x1800) {
		uint64_t size = 32 + 16 * (n * 7 % 40);
		int is_free = n % 5 == 4;
		if (was_free) fix_u64(f, at, glibc_u64(f->bytes, (size_t)(at - FIX_DATA)));
		fix_u64(f, at + 8, size | (was_free ? 0 : GLIBC_PREV_INUSE) | bits);
		if (is_free) {
			fix_u64(f, at + size, size);    /* prev_size of the next */
			fix_u64(f, last + 16, at);
			fix_u64(f, at + 24, last);
			last = at;
			f->free_bytes += size;
		} else {
			f->live_objects++;
			f->live_bytes += size - 8;
		}
		was_free = (unsigned)is_free;
		at += size;
		n++;
	}
	fix_u64(f, last + 16, bin);
	fix_u64(f, bin + 24, last);
	fix_u64(f, at + 8, (end - at) | (was_free ? 0 : GLIBC_PREV_INUSE));
	fix_u64(f, arena + l->top, at);
	f->free_bytes += end - at;
}

/* Two live chunks more of 48 bytes each, given to the tcache; and, where there are fastbins, two to one of them. */
static inline uint64_t fix_lists(struct fixture *f, const struct glibc_layout *l, uint64_t at, uint64_t tcache, int safe, int left)
{
	uint64_t user[2] = { at + 16, at + 48 + 16 };

	for (unsigned i = 0; i < 2; i++) fix_u64(f, at + i * 48 + 8, 48 | GLIBC_PREV_INUSE);
	fix_u64(f, user[0], safe ? user[1] ^ user[0] >> 12 : user[1]);
	fix_u64(f, user[1], safe ? user[1] >> 12 : 0);
	if (left) for (unsigned i = 0; i < 76; i++) fix_u16(f, tcache + 2 * i, 16);
	if (left) fix_u16(f, tcache + 2, 14);
	else fix_u16(f, tcache + 2, 2);
	fix_u64(f, tcache + (left ? 76 : 64) * 2 + 8, user[0]);
	f->cached_objects = 2;
	f->cached_bytes = 96;
	at += 96;
	if (!l->fastbins) return at;
	for (unsigned i = 0; i < 2; i++) fix_u64(f, at + i * 32 + 8, 32 | GLIBC_PREV_INUSE);
	fix_u64(f, FIX_MAIN + l->fastbins, at);
	fix_u64(f, at + 16, safe ? (at + 32) ^ (at + 16) >> 12 : at + 32);
	fix_u64(f, at + 32 + 16, safe ? (at + 48) >> 12 : 0);
	f->free_bytes += 64;
	return at + 64;
}

static inline void fix_par(struct fixture *f, const struct glibc_par *p)
{
	fix_u64(f, FIX_PAR, 131072);
	fix_u64(f, FIX_PAR + 16, 131072);
	fix_u64(f, FIX_PAR + 24, 8);
	fix_u32(f, FIX_PAR + p->n_mmaps, 1);
	fix_u32(f, FIX_PAR + p->n_mmaps_max, 65536);
	fix_u32(f, FIX_PAR + p->n_mmaps + 8u, 1);
	fix_u64(f, FIX_PAR + p->mmapped_mem, FIX_BLOCK);
	fix_u64(f, FIX_PAR + p->mmapped_mem + 8u, FIX_BLOCK);
	fix_u64(f, FIX_PAR + p->sbrk_base, FIX_HEAP);
	if (p->tcache_bins) {
		fix_u64(f, FIX_PAR + p->tcache_bins, 64);
		fix_u64(f, FIX_PAR + p->tcache_count, p - glibc_pars == 4 ? 16 : 7);
	}
}

static inline void fix_state(struct fixture *f, uint64_t arena, uint64_t next, const struct glibc_layout *l, uint64_t mem)
{
	fix_bins(f, arena, l);
	fix_u64(f, arena + l->next, next);
	if (l->attached) fix_u64(f, arena + l->attached, 1);
	fix_u64(f, arena + l->system_mem, mem);
	fix_u64(f, arena + l->system_mem + 8u, mem);
}

/* layout and par: as in glibc_find.c. The fixture's memory is `bytes`, of FIX_SIZE, zeroed. */
static inline void fix_build(struct fixture *f, unsigned char *bytes, unsigned layout, unsigned par, int safe)
{
	static const char maps[] =
		"13fe0000-13fe2000 rw-p 001d2000 00:01 7 /lib/libc.so.6\n"
		"13fe2000-13fe4000 rw-p 00000000 00:00 0 \n"
		"13ff0000-14000000 rw-p 00000000 00:00 0 [heap]\n"
		"14000000-14010000 rw-p 00000000 00:00 0 \n"
		"14010000-14020000 rw-p 00000000 00:00 0 \n"
		"14020000-14030000 rw-p 00000000 00:00 0 \n";
	const struct glibc_layout *l = &glibc_layouts[layout];
	const struct glibc_par *p = &glibc_pars[par];
	uint64_t info = par >= 3 ? 0x30 : 0x20, arena = FIX_ARENA + info, at = FIX_HEAP;
	struct err e;

	*f = (struct fixture){ .bytes = bytes };
	fix_par(f, p);
	fix_state(f, FIX_MAIN, arena, l, FIX_BLOCK);
	fix_state(f, arena, FIX_MAIN, l, FIX_BLOCK);
	if (p->tcache_bins) {
		uint64_t size = par == 4 ? 0x300 : 0x290;
		fix_u64(f, at + 8, size | GLIBC_PREV_INUSE);
		fix_u64(f, FIX_TP - 0x38, FIX_MAIN);
		fix_u64(f, FIX_TP - 0x48, at + 16);
		at = fix_lists(f, l, at + size, at + 16, safe, par == 4);
	}
	fix_chunks(f, FIX_MAIN, l, at, FIX_HEAP + FIX_BLOCK);
	fix_u64(f, FIX_ARENA, arena);
	fix_u64(f, FIX_ARENA + 16, FIX_BLOCK);
	fix_chunks(f, arena, l, (arena + l->size + 15) & ~15ull, FIX_ARENA + FIX_BLOCK);
	fix_u64(f, FIX_MMAP + 8, (FIX_BLOCK - (l->fastbins ? 0 : 16)) | GLIBC_MMAPPED);
	f->live_objects++;
	f->live_bytes += FIX_BLOCK - 16;
	fix_u64(f, FIX_TP, FIX_TP);
	fix_u64(f, FIX_TP + 16, FIX_TP);
	f->thread = (struct target_thread){ .tid = 412, .tp = FIX_TP };
	f->target = (struct target){ .thread = &f->thread, .nthreads = 1 };
	f->target.mem = mem_open_fixture(FIX_DATA, bytes, FIX_SIZE);
	if (maps_parse(&f->target.maps, maps, sizeof maps - 1, &e)) abort();
}

static inline void fix_free(struct fixture *f)
{
	mem_close(f->target.mem);
	maps_free(&f->target.maps);
}

#endif
