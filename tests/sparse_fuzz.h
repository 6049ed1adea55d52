/* sparse_fuzz.h: what the harnesses of the readers that sparse.h serves have in common. */
#ifndef TESTS_SPARSE_FUZZ_H
#define TESTS_SPARSE_FUZZ_H

#include "tests/sparse.h"

static inline void sparse_require(int good)
{
	if (!good) abort();
}

/* Six bytes: which word of which piece, its width, what: small numbers, large ones, and addresses that exist. */
static inline void sparse_overwrite(struct sparse *s, const uint8_t *data, size_t n)
{
	for (; n >= 6; data += 6, n -= 6) {
		struct sparse_part *p = &s->part[data[0] % s->nparts], *q = &s->part[data[5] % s->nparts];
		size_t words = p->n / 8, at = (size_t)(data[1] | data[2] << 8) % words * 8;
		uint64_t value = data[3] | (uint64_t)data[4] << 8;
		if (data[5] & 64) value = q->base + value * 16 % q->n;
		else value <<= data[5] % 64;
		if (data[0] & 8) at = (at + words / 2 * 8) % (words * 8);
		memcpy(p->bytes + at, &value, (size_t[]){ 1, 2, 4, 8 }[data[0] >> 4 & 3]);
	}
}

static inline void sparse_check(const struct heap_allocator *a)
{
	sparse_require(a->status <= HEAP_UNSUPPORTED && (a->status != HEAP_COMPLETE || !a->bad));
	for (size_t i = 1; i < a->nclasses; i++) sparse_require(a->class[i - 1].size < a->class[i].size);
	for (size_t i = 0; i < a->narenas; i++) sparse_require(memchr(a->arena[i].name, 0, sizeof a->arena[i].name) != NULL);
	for (size_t i = 0; i < a->nlocks; i++) sparse_require(memchr(a->lock[i].name, 0, sizeof a->lock[i].name) != NULL);
}

static inline void sparse_fuzz(struct sparse *s, const struct allocator *kind, const uint8_t *data, size_t n)
{
	struct allocator_found found[4];
	struct err e;
	size_t nfound;

	if (data[0] & 1) sparse_overwrite(s, data + 1, n - 1);
	nfound = kind->probe(&s->target, found, 4);
	sparse_require(nfound <= 4);
	if (!(data[0] & 1)) sparse_overwrite(s, data + 1, n - 1);
	for (size_t i = 0; i < nfound; i++) {
		struct heap_allocator a = { 0 }, l = { 0 };
		struct sparse_sum sum = { { sparse_range }, { 0 } };
		if (!kind->read(&s->target, &found[i], data[0] & 2 ? ALLOCATOR_FULL : 0, &a, &sum.sink, &e)) sparse_check(&a);
		kind->locks(&s->target, &found[i], &l);
		sparse_check(&l);
		heap_allocator_free(&a);
		heap_allocator_free(&l);
	}
}

#endif
