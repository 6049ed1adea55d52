/* sparse.h: a target made by hand: a few pieces of memory at addresses of choice, and a map that names them. For tests of readers. */
#ifndef TESTS_SPARSE_H
#define TESTS_SPARSE_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "inspect/allocator/allocator.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"

enum { SPARSE_PARTS = 8 };

struct sparse {
	struct mem mem;
	struct sparse_part { uint64_t base; unsigned char *bytes; size_t n; } part[SPARSE_PARTS];
	size_t nparts;
	struct target target;
};

static inline unsigned char *sparse_at(struct sparse *s, uint64_t addr, size_t *left)
{
	for (size_t i = 0; i < s->nparts; i++) {
		struct sparse_part *p = &s->part[i];
		if (addr < p->base || addr - p->base >= p->n) continue;
		*left = p->n - (size_t)(addr - p->base);
		return p->bytes + (addr - p->base);
	}
	return NULL;
}

static inline ssize_t sparse_read(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	size_t left;
	unsigned char *p = sparse_at((struct sparse *)m, addr, &left);

	if (!p) {
		errno = EFAULT;
		return -1;
	}
	if (n > left) n = left;
	memcpy(buf, p, n);
	return (ssize_t)n;
}

static inline void sparse_close(struct mem *m)
{
	(void)m;
}

/* `maps` in the kernel's format. */
static inline void sparse_open(struct sparse *s, const char *maps)
{
	static const struct mem_ops ops = { "sparse", sparse_read, sparse_close };
	struct err e;

	*s = (struct sparse){ .mem = { &ops } };
	s->target.mem = &s->mem;
	if (maps_parse(&s->target.maps, maps, strlen(maps), &e)) abort();
}

static inline void sparse_add(struct sparse *s, uint64_t base, size_t n)
{
	s->part[s->nparts++] = (struct sparse_part){ base, calloc(1, n), n };
	if (!s->part[s->nparts - 1].bytes) abort();
}

static inline void sparse_free(struct sparse *s)
{
	for (size_t i = 0; i < s->nparts; i++) free(s->part[i].bytes);
	maps_free(&s->target.maps);
}

static inline void sparse_put(struct sparse *s, uint64_t addr, uint64_t v, size_t width)
{
	size_t left;
	unsigned char *p = sparse_at(s, addr, &left);

	if (!p || left < width) abort();
	memcpy(p, &v, width);
}

static inline void put64(struct sparse *s, uint64_t addr, uint64_t v) { sparse_put(s, addr, v, 8); }
static inline void put32(struct sparse *s, uint64_t addr, uint64_t v) { sparse_put(s, addr, v, 4); }
static inline void put16(struct sparse *s, uint64_t addr, uint64_t v) { sparse_put(s, addr, v, 2); }

/* n objects of `size` from addr on, each pointing to the next. */
static inline void put_chain(struct sparse *s, uint64_t addr, uint64_t size, unsigned n)
{
	for (unsigned i = 0; i < n; i++) put64(s, addr + i * size, i + 1 < n ? addr + (i + 1) * size : 0);
}

/* A sink that adds up. */
struct sparse_sum { struct allocator_sink sink; uint64_t what[ALLOCATOR_MANAGED + 1]; };

static inline void sparse_range(struct allocator_sink *sink, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	if (!bytes || start + bytes < start || what > ALLOCATOR_MANAGED) abort();
	((struct sparse_sum *)sink)->what[what] += bytes;
}

/* Finds and reads: how many were found; 0 also when reading fails. */
static inline size_t sparse_look(struct sparse *s, const struct allocator *kind, unsigned flags, struct heap_allocator *a, struct sparse_sum *sum)
{
	struct allocator_found found[4];
	struct err e;
	size_t n = kind->probe(&s->target, found, 4);

	*a = (struct heap_allocator){ 0 };
	*sum = (struct sparse_sum){ { sparse_range }, { 0 } };
	return n && !kind->read(&s->target, &found[0], flags, a, &sum->sink, &e) ? n : 0;
}

/* The same, but after it was found `value` is put at `at`: it changed meanwhile. 1: it is said to be torn. */
static inline int sparse_torn(struct sparse *s, const struct allocator *kind, unsigned flags, uint64_t at, uint64_t value, struct heap_allocator *a)
{
	struct allocator_found found[4];
	struct sparse_sum sum = { { sparse_range }, { 0 } };
	struct err e;

	*a = (struct heap_allocator){ 0 };
	if (kind->probe(&s->target, found, 4) != 1) return 0;
	put64(s, at, value);
	return !kind->read(&s->target, &found[0], flags, a, &sum.sink, &e) && a->status == HEAP_TORN && a->bad && *a->status_text;
}

static inline struct heap_class *sparse_class(struct heap_allocator *a, uint64_t size)
{
	for (size_t i = 0; i < a->nclasses; i++)
		if (a->class[i].size == size) return &a->class[i];
	return NULL;
}

#endif
