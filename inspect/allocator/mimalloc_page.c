/* mimalloc_page.c: what one of mimalloc's pages holds. Counts come from its record. The lists of free blocks are followed in full mode; the
 * list of what other threads have freed always is, as far as patience goes, as it decides what is in use. */
#include "inspect/allocator/mimalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/window.h"
#include "inspect/target/xalloc.h"

enum { BLOCKS_MAX = 65536, FEW = 4, OWNERS_MAX = 1 << 16, DENSE = 4096 };

static struct mimalloc_owner *owner_of(struct mimalloc *m, uint64_t thread)
{
	size_t i = m->nowners;

	/* pages of a thread lie together */
	while (i && m->owner[i - 1].thread != thread) i--;
	if (i) return &m->owner[i - 1];
	if (m->nowners == OWNERS_MAX) return &m->owner[0];
	if (!(m->nowners & (m->nowners - 1))) m->owner = xreallocarray(m->owner, m->nowners ? m->nowners * 2 : 1, sizeof *m->owner);
	m->owner[m->nowners] = (struct mimalloc_owner){ .thread = thread };
	return &m->owner[m->nowners++];
}

/* Number of the block at addr; -1 when none begins there. */
static int64_t block_at(const struct mimalloc_page *p, uint64_t addr)
{
	if (addr < p->start || addr - p->start >= p->bytes) return -1;
	if (!p->blocks) return (int64_t)((addr - p->start) / p->block_size);
	if (addr < p->blocks || (addr - p->blocks) % p->block_size || (addr - p->blocks) / p->block_size >= p->capacity) return -1;
	return (int64_t)((addr - p->blocks) / p->block_size);
}

/* Follows a list within a page, and marks its blocks if asked to. Returns their number. */
static uint64_t follow(struct mimalloc *m, const struct mimalloc_page *p, uint64_t at, unsigned char *mark)
{
	uint64_t n = 0;

	for (; at; at = window_u64(m->w, at) & ~(uint64_t)(mark ? 0 : 3)) {
		int64_t k = block_at(p, at);
		if (k < 0 && !n) m->encoded = 1;
		if (k < 0 || n >= p->capacity || (mark && mark[k])) {
			if (n || !m->encoded) mimalloc_bad(m, "a list of free blocks of the page at 0x%" PRIx64 " is broken", p->start);
			break;
		}
		n++;
		if (mark) mark[k] = 1;
		else if (!(m->flags & ALLOCATOR_FULL) && m->steps++ >= MIMALLOC_PATIENCE) {
			m->impatient = 1;
			break;
		}
	}
	return n;
}

/* The lowest and the highest free block, by its lists. */
static void extremes(struct mimalloc *m, const struct mimalloc_page *p, uint64_t *low, uint64_t *high)
{
	const uint64_t lists[] = { p->free, p->local };
	uint32_t left = p->capacity + 1;

	for (unsigned i = 0; i < 2; i++)
		for (uint64_t at = lists[i]; at && left && block_at(p, at) >= 0; at = window_u64(m->w, at), left--) {
			if (!*low || at < *low) *low = at;
			if (at > *high) *high = at;
		}
}

/* Where the blocks begin, in versions that do not say: behind a gap, for small blocks, that changed often. One that its free blocks fit. */
static uint64_t blocks_start(struct mimalloc *m, const struct mimalloc_page *p)
{
	const uint64_t bs = p->block_size, gaps[] = { bs <= 1024 ? 384 : 0, bs <= 1024 ? 128 : 0, bs <= 64 ? 3 * bs : 0, bs <= 512 ? bs : 0, 0 };
	uint64_t low = 0, high = 0;

	if (p->blocks) return p->blocks;
	extremes(m, p, &low, &high);
	for (unsigned i = 0; i < sizeof gaps / sizeof *gaps; i++) {
		uint64_t start = p->start + gaps[i];
		if (bs * p->reserved > p->bytes - gaps[i]) continue;
		if (!low || (low >= start && (low - start) % bs == 0 && (high - start) / bs < p->capacity)) return start;
	}
	return p->start;
}

static void tell_blocks(struct mimalloc *m, struct mimalloc_page p)
{
	uint64_t nfree, run = 0, end;

	p.blocks = blocks_start(m, &p);
	end = p.blocks + p.block_size * p.capacity;
	if (end > p.start + p.bytes) {
		mimalloc_tell(m, p.start, p.bytes, ALLOCATOR_MANAGED);
		return;
	}
	if (!m->is_free) m->is_free = xmalloc(BLOCKS_MAX);
	memset(m->is_free, 0, p.capacity);
	nfree = follow(m, &p, p.free, m->is_free);
	nfree += follow(m, &p, p.local, m->is_free);
	if (!m->encoded && nfree != p.capacity - p.used)
		mimalloc_bad(m, "the page at 0x%" PRIx64 " has %u of %u blocks in use, and %" PRIu64 " free", p.start, p.used, p.capacity, nfree);
	if (!m->encoded && p.remote) follow(m, &p, p.remote, m->is_free);
	for (uint32_t i = 0; i < p.capacity; i++) {
		run++;
		if (i + 1 < p.capacity && m->is_free[i + 1] == m->is_free[i]) continue;
		mimalloc_tell(m, p.blocks + (i + 1 - run) * p.block_size, run * p.block_size, m->is_free[i] ? ALLOCATOR_FREE : ALLOCATOR_LIVE);
		run = 0;
	}
	mimalloc_tell(m, p.start, p.blocks - p.start, ALLOCATOR_FREE);
	mimalloc_tell(m, end, p.start + p.bytes - end, ALLOCATOR_FREE);
}

int mimalloc_page_unuse(struct mimalloc *m, uint64_t block_size, uint64_t thread, uint64_t n)
{
	struct heap_class *c = heap_class_of(m->a, block_size);
	struct mimalloc_owner *o = owner_of(m, thread);

	if (c->live < n || o->live < n * block_size) {
		mimalloc_bad(m, "more blocks of %" PRIu64 " bytes were freed by other threads than there are", block_size);
		return -1;
	}
	c->live -= n;
	c->free += n;
	o->live -= n * block_size;
	o->free += n * block_size;
	m->remote += n;
	return 0;
}

void mimalloc_page_see(struct mimalloc *m, const struct mimalloc_page *p)
{
	struct heap_class *c = heap_class_of(m->a, p->block_size);
	struct mimalloc_owner *o = owner_of(m, p->thread);
	uint64_t live = p->used * p->block_size;

	if (!c->slabs) c->requested = c->churn = HEAP_UNKNOWN;
	c->live += p->used;
	c->free += p->capacity - p->used;
	c->slabs++;
	if (p->used <= p->capacity / FEW && p->capacity > 1) c->pinned++;
	if (p->reserved == 1) {
		m->a->large_objects += p->used;
		m->a->large_bytes += live;
	}
	o->mapped += p->bytes;
	o->live += live;
	o->free += p->bytes > live ? p->bytes - live : 0;
	m->pages++;
	if (!p->thread) {
		m->abandoned_pages++;
		m->abandoned_bytes += p->bytes;
	}
	if (p->heap) mimalloc_remember(&m->heap, &m->nheaps, p->heap);
	if (p->remote && !m->encoded && !m->impatient) {
		if (p->block_size < DENSE && p->bytes <= WINDOW_LOAD) window_load(m->w, p->start, p->bytes);
		uint64_t n = follow(m, p, p->remote, NULL);
		if (n) mimalloc_page_unuse(m, p->block_size, p->thread, n < p->used ? n : p->used);
	}
	if (m->flags & ALLOCATOR_FULL && m->sink) tell_blocks(m, *p);
	else mimalloc_tell(m, p->start, p->bytes, p->reserved == 1 && p->used ? ALLOCATOR_LIVE : ALLOCATOR_MANAGED);
}
