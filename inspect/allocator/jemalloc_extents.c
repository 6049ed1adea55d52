/* jemalloc_extents.c: all of jemalloc's heap, by its tree from pages to extents. The leaves alone tell where each extent is, which class it
 * has, and if it is in use; what is in a slab stands in the slab's own record, which is read in full mode only. Looks only where the process
 * has private anonymous memory, at 8 bytes per page of it. */
#include "inspect/allocator/jemalloc.h"

#include <inttypes.h>
#include <stdlib.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { WORDS = 8192 /* of a leaf, read at once */, WORDS_MAX = 1 << 30 /* in all: 4 TiB of heap */, RECORDS_MAX = 8192 /* read in quick mode */, PAD = 4096 };

/* The extent whose pages are being seen. */
struct extent { uint64_t edata, first, last, word; };

struct walk {
	struct jemalloc *j;
	struct extent open;
	uint64_t records, words;
};

static void tell(const struct jemalloc *j, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	if (j->sink && bytes) j->sink->range(j->sink, start, bytes, what);
}

static struct jemalloc_arena *arena_of(const struct jemalloc *j, uint64_t bits)
{
	for (size_t i = 0; i < j->narenas; i++)
		if (j->arena[i].index == (bits & 4095)) return &j->arena[i];
	return NULL;
}

/* Regions of a slab: runs of free and of used ones. */
static void slab_regions(struct jemalloc *j, const struct extent *x, unsigned szind, const char *record)
{
	const struct jemalloc_bin_info *info = &j->info[szind];
	uint64_t bits = window_word(record, 0), run = 0;
	unsigned nfree = bits >> j->layout->nfree & 1023, counted = 0;

	if (window_word(record, 8) != x->first || (bits >> j->layout->szind & 255) != szind) {
		jemalloc_bad(j, "the record of the slab at 0x%" PRIx64 " is another's", x->first);
		return;
	}
	for (unsigned i = 0; i < info->nregs; i++) {
		unsigned is_free = record[JEMALLOC_BITMAP + i / 8] >> (i % 8) & 1, next_free;
		counted += is_free;
		run++;
		next_free = i + 1 < info->nregs ? record[JEMALLOC_BITMAP + (i + 1) / 8] >> ((i + 1) % 8) & 1 : 2;
		if (next_free == is_free) continue;
		tell(j, x->first + (i + 1 - run) * info->size, run * info->size, is_free ? ALLOCATOR_FREE : ALLOCATOR_LIVE);
		run = 0;
	}
	tell(j, x->first + info->nregs * info->size, info->slab_size - info->nregs * info->size, ALLOCATOR_FREE);
	if (counted != nfree) jemalloc_bad(j, "the slab at 0x%" PRIx64 " says %u regions free, its bitmap %u", x->first, nfree, counted);
	j->count[szind].live += info->nregs - counted;
	if (info->nregs - counted <= info->nregs / 4) j->count[szind].pinned++;
}

static void slab(struct walk *w, const struct extent *x, unsigned szind)
{
	struct jemalloc *j = w->j;
	uint64_t bytes = x->last + JEMALLOC_PAGE - x->first;
	char record[JEMALLOC_EDATA];

	if (szind >= JEMALLOC_BINS || bytes != j->info[szind].slab_size) {
		jemalloc_bad(j, "a slab of %" PRIu64 " bytes at 0x%" PRIx64 " for class %u", bytes, x->first, szind);
		return;
	}
	j->count[szind].extents++;
	if (!(j->flags & ALLOCATOR_FULL)) tell(j, x->first, bytes, ALLOCATOR_MANAGED);
	else if (window_read(j->w, x->edata, record, sizeof record)) jemalloc_bad(j, "the record of the slab at 0x%" PRIx64 " cannot be read", x->first);
	else slab_regions(j, x, szind, record);
}

/* A block of its own. It is padded by a page, so that not all begin alike; without that, or with classes that are not kept to, it is smaller. */
static void large(struct walk *w, const struct extent *x, unsigned szind, struct jemalloc_arena *arena)
{
	struct jemalloc *j = w->j;
	uint64_t bytes = x->last + JEMALLOC_PAGE - x->first, size;

	if (szind < JEMALLOC_BINS - 1 || szind >= JEMALLOC_SIZES || bytes > jemalloc_size(szind) + PAD || bytes <= jemalloc_size(szind - 1)) {
		/* a small class: a block promoted because it was sampled by jemalloc's own profiler */
		if (szind >= JEMALLOC_SIZES || bytes > (4 << 20) || bytes < jemalloc_size(szind)) {
			jemalloc_bad(j, "an extent of %" PRIu64 " bytes at 0x%" PRIx64 " for class %u", bytes, x->first, szind);
			return;
		}
	}
	size = jemalloc_size(szind) < bytes ? jemalloc_size(szind) : bytes;
	j->count[szind].extents++;
	if (szind >= JEMALLOC_BINS) j->count[szind].live++;
	j->live_pages += bytes;
	if (arena) arena->large += size;
	tell(j, x->first, bytes, ALLOCATOR_LIVE);
}

/* Before 5.3 a leaf does not say whether its extent is in use, and may still have the class that it had: the record knows. */
static unsigned record_state(struct walk *w, const struct extent *x, unsigned *szind, unsigned *is_slab)
{
	const struct jemalloc_layout *l = w->j->layout;
	uint64_t bits = window_u64(w->j->w, x->edata);

	*szind = bits >> l->szind & 255;
	*is_slab = bits >> 12 & 1;
	return bits >> l->state & 3;
}

static void close_extent(struct walk *w)
{
	struct jemalloc *j = w->j;
	const struct jemalloc_layout *l = j->layout;
	struct extent x = w->open;
	unsigned szind = x.word >> 48 & 0xffff, is_slab = x.word & 1, state = x.word >> l->leaf_state & 7;
	struct jemalloc_arena *arena = NULL;

	w->open.edata = 0;
	if (!x.edata) return;
	j->extents++;
	if (!l->leaf_state) state = record_state(w, &x, &szind, &is_slab);
	if (is_slab && state == JEMALLOC_ACTIVE) {
		slab(w, &x, szind);
		return;
	}
	if (++w->records <= RECORDS_MAX || j->flags & ALLOCATOR_FULL) {
		arena = arena_of(j, window_u64(j->w, x.edata));
		if (!arena) jemalloc_bad(j, "the extent at 0x%" PRIx64 " is of an arena that is not there", x.first);
	}
	if (state == JEMALLOC_ACTIVE) {
		large(w, &x, szind, arena);
		return;
	}
	uint64_t bytes = x.last + JEMALLOC_PAGE - x.first;
	j->state_bytes[state < JEMALLOC_OTHER ? state : JEMALLOC_OTHER] += bytes;
	if (arena) arena->held += bytes;
	if (arena && state == JEMALLOC_DIRTY) arena->dirty += bytes;
	tell(j, x.first, bytes, ALLOCATOR_TRIMMABLE);
}

/* One word of a leaf that is not zero. */
static void see(struct walk *w, uint64_t page, uint64_t word)
{
	uint64_t edata = word & w->j->layout->leaf_pointer;

	if (!edata) return;
	if (edata != w->open.edata) {
		close_extent(w);
		w->open = (struct extent){ edata, page, page, word };
	}
	w->open.last = page;
}

static int is_private_anonymous(const struct map *m)
{
	return !m->inode && !m->shared && (!*m->path || !strcmp(m->path, "[heap]") || !strncmp(m->path, "[anon:", 6));
}

/* [start, end) lies in one leaf's part of the address space. */
static void walk_part(struct walk *w, uint64_t leaf, uint64_t start, uint64_t end, uint64_t *words)
{
	for (uint64_t at = start; at < end && w->words < WORDS_MAX; at += (uint64_t)WORDS * JEMALLOC_PAGE) {
		uint64_t n = (end - at) / JEMALLOC_PAGE < WORDS ? (end - at) / JEMALLOC_PAGE : WORDS;
		n = mem_read_some(w->j->t->mem, leaf + (at / JEMALLOC_PAGE & JEMALLOC_LEAF_MASK) * 8, words, n * 8) / 8;
		w->words += n;
		for (uint64_t i = 0; i < n; i++)
			if (words[i]) see(w, at + i * JEMALLOC_PAGE, words[i]);
	}
}

void jemalloc_extents(struct jemalloc *j)
{
	struct walk w = { .j = j };
	uint64_t root = j->found->extra[JEMALLOC_EXTRA_ROOT], *words = xmalloc(WORDS * sizeof *words);

	for (size_t i = 0; i < j->t->maps.n; i++) {
		const struct map *m = &j->t->maps.map[i];
		if (!is_private_anonymous(m) || m->end >> 47) continue;
		for (uint64_t at = m->start; at < m->end;) {
			uint64_t next = ((at >> JEMALLOC_LEAF_SHIFT) + 1) << JEMALLOC_LEAF_SHIFT, leaf = window_u64(j->w, root + (at >> JEMALLOC_LEAF_SHIFT) * 8);
			if (next > m->end) next = m->end;
			if (leaf && leaf % 64 == 0 && target_is_anonymous(j->t, leaf)) walk_part(&w, leaf, at, next, words);
			at = next;
		}
	}
	close_extent(&w);
	if (w.words >= WORDS_MAX) jemalloc_bad(j, "its tree has no end");
	j->by_arena = w.records <= RECORDS_MAX || j->flags & ALLOCATOR_FULL;
	free(words);
}
