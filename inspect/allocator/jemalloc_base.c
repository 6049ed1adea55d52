/* jemalloc_base.c: jemalloc's own memory: each base has a chain of blocks, the oldest last; in that one are the base itself and its arena. */
#include "inspect/allocator/jemalloc.h"

#include "inspect/allocator/window.h"

enum { HEADER = 16 /* size and next: then what is left of the block */, BASE_MAX = 8192, BLOCKS_MAX = 4096 };

/* Bytes of all blocks of the chain from `block`, if it ends with `oldest`; else 0. */
static uint64_t chain(const struct jemalloc *j, uint64_t block, uint64_t oldest, struct allocator_sink *sink)
{
	uint64_t bytes = 0;

	for (unsigned steps = 0; steps < BLOCKS_MAX; steps++) {
		uint64_t head[2];
		if (block % JEMALLOC_BLOCK || !target_is_anonymous(j->t, block) || window_read(j->w, block, head, sizeof head)) return 0;
		if (!head[0] || head[0] % JEMALLOC_BLOCK || head[0] >> 40) return 0;
		bytes += head[0];
		if (sink) sink->range(sink, block, head[0], ALLOCATOR_METADATA);
		if (!head[1]) return block == oldest ? bytes : 0;
		block = head[1];
	}
	return 0;
}

/* After the chain's head the base has what it handed out, in pages, and the sum of the blocks. */
static uint64_t handed_out(const struct jemalloc *j, uint64_t from, uint64_t to, uint64_t bytes)
{
	uint64_t before = 0;

	for (; from < to; from += 8) {
		uint64_t v = window_u64(j->w, from);
		if (v == bytes && before && before <= bytes && before % JEMALLOC_PAGE == 0) return before;
		before = v;
	}
	return bytes;
}

static void see_base(struct jemalloc *j, uint64_t oldest)
{
	for (uint64_t at = oldest + HEADER; at < oldest + BASE_MAX; at += 8) {
		uint64_t first = window_u64(j->w, at), bytes = first ? chain(j, first, oldest, NULL) : 0;
		if (!bytes) continue;
		j->metadata_mapped += bytes;
		j->metadata += handed_out(j, at + 8, at + BASE_MAX, bytes);
		chain(j, first, oldest, j->sink);
		return;
	}
	jemalloc_bad(j, "the base at 0x%llx has no blocks", (unsigned long long)oldest);
}

void jemalloc_base(struct jemalloc *j)
{
	for (size_t i = 0; i < j->narenas; i++) {
		uint64_t block = j->arena[i].addr & ~(uint64_t)(JEMALLOC_BLOCK - 1);
		size_t k = 0;
		while ((j->arena[k].addr & ~(uint64_t)(JEMALLOC_BLOCK - 1)) != block) k++;
		if (k == i) see_base(j, block);
	}
}
