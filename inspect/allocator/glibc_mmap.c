/* glibc_mmap.c: chunks that have a mapping of their own. mp_ counts them and their bytes; where they are is found by looking at the
 * anonymous mappings, where each stands at the start of a page (or, when it was asked for aligned, a stated distance behind one).
 * Neighbours are merged into one mapping by the kernel, newest first, so one leads to the next. */
#include "inspect/allocator/glibc.h"

#include <stdlib.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/pagemap.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096, PIECE = 64 << 10, PROBES = 4096, SIZE_WORD_2_43 = 16 };

struct scan {
	struct glibc *g;
	struct pagemap *pages;          /* NULL: no live process */
	struct target_region *region;
	size_t nregions;
	uint64_t count, bytes, probes;
	unsigned char *buf;             /* a piece of the mapping, [base, base + len) */
	uint64_t base;
	size_t len;
};

/* Bytes of the mapping of a chunk `off` bytes into the page at `at`; its start in *start. 0: none. */
static uint64_t chunk_at(const struct scan *s, const unsigned char *page, uint64_t at, unsigned off, const struct map *m, uint64_t *start)
{
	uint64_t prev = glibc_u64(page, off), head = glibc_u64(page, off + 8u), size = head & ~(uint64_t)GLIBC_BITS;
	uint64_t extra = s->g->layout->fastbins ? 0 : SIZE_WORD_2_43;

	if ((head & GLIBC_BITS) != GLIBC_MMAPPED || !size) return 0;
	/* 2.43 keeps flags in the low bits of the distance, and one word of slack out of the size */
	if (extra) prev &= ~(uint64_t)7;
	if ((off != prev % PAGE) || prev > at + off - m->start || __builtin_add_overflow(size, prev + extra, &size) || size % PAGE) return 0;
	*start = at + off - prev;
	return size <= m->end - *start ? size : 0;
}

/* A chunk that was asked for aligned begins further inside, and the header at its first place is left as it was. Where the block would
   be for each alignment, is there a header that says so? Moves *at there. */
static void follow_alignment(const struct scan *s, uint64_t start, uint64_t n, uint64_t *at)
{
	uint64_t h[2], extra = s->g->layout->fastbins ? 0 : SIZE_WORD_2_43;

	for (uint64_t align = 2 * GLIBC_ALIGN; align < n; align *= 2) {
		uint64_t p = ((start + 16 + align - 1) & ~(align - 1)) - 16;
		if (p <= start || p + 16 > start + n || mem_read_some(s->g->t->mem, p, h, sizeof h) < sizeof h) continue;
		if ((h[1] & GLIBC_BITS) != GLIBC_MMAPPED || (extra ? h[0] & ~(uint64_t)7 : h[0]) != p - start) continue;
		if ((h[1] & ~(uint64_t)GLIBC_BITS) + (p - start) + extra == n) *at = p;
	}
}

/* The chunk in this page, if one begins here. Pages follow up to `stop`. */
static uint64_t probe(struct scan *s, uint64_t at, uint64_t stop, const struct map *m, uint64_t *start, unsigned *off)
{
	uint64_t n;

	s->probes++;
	if (at < s->base || at - s->base + PAGE > s->len) {
		/* one page where a chunk has led us, more where we have to search */
		size_t want = at == s->base + s->len ? PIECE : PAGE;
		s->base = at;
		s->len = mem_read_some(s->g->t->mem, at, s->buf, stop - at < want ? (size_t)(stop - at) : want);
		if (s->len < PAGE) return 0;
	}
	const unsigned char *page = s->buf + (at - s->base);
	for (*off = 0; *off < PAGE; *off += GLIBC_ALIGN)
		if ((n = chunk_at(s, page, at, *off, m, start))) return n;
	return 0;
}

/* Where memory begins that is no loaded object's: the kernel merges a mapping with the .bss that it happens to follow. */
static uint64_t behind_data(const struct scan *s, const struct map *m)
{
	for (size_t i = 0; i < s->nregions && s->region[i].start <= m->start; i++)
		if (s->region[i].end > m->start) return s->region[i].end < m->end ? s->region[i].end : m->end;
	return m->start;
}

static int in_segment(const struct glibc *g, const struct map *m)
{
	for (size_t i = 0; i < g->nsegments; i++)
		if (g->segment[i].start < m->end && g->segment[i].end > m->start) return 1;
	return 0;
}

static int found_all(const struct scan *s)
{
	return s->g->par && s->count >= s->g->n_mmaps && s->bytes >= s->g->mmapped_mem;
}

static void scan_map(struct scan *s, const struct map *m, uint64_t most)
{
	uint64_t at = behind_data(s, m), stop = m->end, start, n, done = at;
	unsigned off;

	while (at < m->end && s->probes < most && !found_all(s)) {
		if (s->pages && (at = pagemap_next(s->pages, at, m->end, &stop)) >= m->end) break;
		if (!(n = probe(s, at, stop, m, &start, &off)) || start < done) {
			at += PAGE;
			continue;
		}
		s->count++;
		s->bytes += n;
		uint64_t chunk = at + off, head;
		if (chunk == start) follow_alignment(s, start, n, &chunk);
		head = chunk + 16 - start;
		glibc_range(s->g, start, head, ALLOCATOR_METADATA);
		glibc_range(s->g, start + head, n - head, ALLOCATOR_LIVE);
		s->g->a->metadata_bytes += head;
		s->g->mmap_bytes += n - head;
		s->g->mmap_objects++;
		glibc_count(s->g, n - head + GLIBC_HEADER, ALLOCATOR_LIVE, 1);
		at = done = start + n;
	}
}

void glibc_mmapped(struct glibc *g, int everywhere)
{
	struct scan s = { .g = g };
	struct err e;
	uint64_t most = everywhere ? UINT64_MAX : PROBES;

	if (g->par && !g->n_mmaps) return;
	s.pages = g->t->pid ? pagemap_open(g->t->pid, &e) : NULL;
	s.buf = xmalloc(PIECE);
	s.nregions = target_data_regions(g->t, &s.region);
	for (size_t i = 0; i < g->t->maps.n && s.probes < most && !found_all(&s); i++) {
		const struct map *m = &g->t->maps.map[i];
		if (target_is_anonymous(g->t, m->start) && strcmp(m->path, "[heap]") && !in_segment(g, m))
			scan_map(&s, m, most);
	}
	pagemap_close(s.pages);
	free(s.region);
	free(s.buf);
	if (g->par && (s.count != g->n_mmaps || s.bytes != g->mmapped_mem))
		glibc_bad(g, "%llu of %llu mmapped chunks were found", (unsigned long long)s.count, (unsigned long long)g->n_mmaps);
}
