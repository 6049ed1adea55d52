/* index.c: see index.h. */
#include "index.h"
#include "cc.h"

enum { WAYS = 8, ID_BITS = 20 };

static uint32_t levels_for(uint32_t ids, uint32_t *slots)
{
	uint32_t n = 1, size = INDEX_FIRST, sum = size;
	/* a third more entries than ids: buckets do not fill evenly */
	while (sum < ids + ids / 3 && n < INDEX_LEVELS) {
		size *= INDEX_GROWTH;
		sum += size;
		n++;
	}
	*slots = sum;
	return n;
}

size_t index_bytes(uint32_t ids)
{
	uint32_t slots;
	levels_for(ids, &slots);
	return (size_t)slots * 8;
}

void index_init(struct index *x, void *memory, uint32_t ids)
{
	uint32_t slots, size = INDEX_FIRST;
	uint64_t *at = memory;
	x->levels = levels_for(ids, &slots);
	x->top = 1;
	for (uint32_t i = 0; i < x->levels; i++, size *= INDEX_GROWTH) {
		x->level[i] = at;
		x->buckets[i] = size / WAYS;
		at += size;
	}
}

uint64_t *index_trim(struct index *x, uint64_t **end)
{
	uint32_t last = x->levels - 1, keep = LOAD(x->top) < last ? LOAD(x->top) : last;
	*end = x->level[last] + (size_t)x->buckets[last] * WAYS;
	STORE(x->levels, keep + 1);
	return keep < last ? x->level[keep + 1] : *end;
}

static ALWAYS_INLINE uint64_t *bucket(const struct index *x, uint32_t level, uint64_t key)
{
	uint64_t h = key * 0x9E3779B97F4A7C15ULL >> 40;
	return x->level[level] + (h & (x->buckets[level] - 1)) * WAYS;
}

int index_insert(struct index *x, uint64_t key, uint32_t id)
{
	uint64_t entry = key << ID_BITS | (id + 1);
	for (uint32_t i = 0; i < LOAD(x->levels); i++) {
		uint64_t *b = bucket(x, i, key);
		for (int k = 0; k < WAYS; k++) {
			uint64_t empty = 0;
			if (LOAD(b[k])) continue;
			/* a reader must look at this level before it can miss the entry */
			uint32_t top = LOAD(x->top);
			while (top <= i && !CAS(x->top, &top, i + 1)) ;
			if (CAS(b[k], &empty, entry)) return 0;
		}
	}
	return -1;
}

int index_remove(struct index *x, uint64_t key, uint32_t *id)
{
	for (uint32_t i = 0, top = ACQUIRE(x->top); i < top; i++) {
		uint64_t *b = bucket(x, i, key);
		for (int k = 0; k < WAYS; k++) {
			uint64_t entry = ACQUIRE(b[k]);
			if (entry >> ID_BITS != key || !entry || !CAS(b[k], &entry, 0)) continue;
			*id = (uint32_t)(entry & INDEX_IDS) - 1;
			return 0;
		}
	}
	return -1;
}

int index_find(const struct index *x, uint64_t key, unsigned n, uint32_t *id)
{
	for (uint32_t i = 0, top = ACQUIRE(x->top); i < top; i++) {
		const uint64_t *b = bucket(x, i, key);
		for (int k = 0; k < WAYS; k++) {
			uint64_t entry = ACQUIRE(b[k]);
			if (!entry || entry >> ID_BITS != key || n--) continue;
			*id = (uint32_t)(entry & INDEX_IDS) - 1;
			return 0;
		}
	}
	return -1;
}
