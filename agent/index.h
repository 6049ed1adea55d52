/* index.h: a lock-free set of (44-bit key -> 20-bit id), for live blocks and for stacks. Any thread and any signal handler may use
 * it at any moment; every operation is bounded.
 *
 * Levels of growing size; a key has one bucket of eight entries (one cache line) in each. An insert takes the first level with room,
 * so that memory is touched only as it is needed and nothing is ever moved: no resizing, no tombstones. Several entries may have
 * the same key. Entry: key << 20 | id + 1; 0: empty. */
#ifndef AGENT_INDEX_H
#define AGENT_INDEX_H

#include <stddef.h>
#include <stdint.h>

enum { INDEX_LEVELS = 6, INDEX_FIRST = 4096, INDEX_GROWTH = 4, INDEX_IDS = (1 << 20) - 1 };

struct index {
	uint64_t *level[INDEX_LEVELS];
	uint32_t buckets[INDEX_LEVELS]; /* powers of two */
	uint32_t levels;
	uint32_t top;                   /* levels that have ever been used */
};

/* Bytes of zeroed memory an index for `ids` ids needs; index_init lays it out there. */
size_t index_bytes(uint32_t ids);
void index_init(struct index *x, void *memory, uint32_t ids);
/* Does without the levels above the next one to be used. Returns where their memory begins, and its end. */
uint64_t *index_trim(struct index *x, uint64_t **end);

/* 0, or -1 when every bucket of the key is full. */
int index_insert(struct index *x, uint64_t key, uint32_t id);
/* Takes one entry with the key out; -1 when there is none. */
int index_remove(struct index *x, uint64_t key, uint32_t *id);
/* The n-th entry with the key; -1 when there are not so many. */
int index_find(const struct index *x, uint64_t key, unsigned n, uint32_t *id);

#endif
