/* tcmalloc_spans.c: every span, by the map from pages to spans. Spans follow each other without gaps in what was had from the system, so the
 * walk steps from span to span; what the map says of the pages within one may be old and is not looked at. In full mode the free objects
 * of each span are found by its list, which runs through the objects. */
#include "inspect/allocator/tcmalloc.h"

#include <inttypes.h>
#include <stdlib.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { WORDS = 4096 /* of a leaf, read at once */, WORDS_MAX = 1 << 30 /* in all: pages looked at */, SPAN_BYTES_MAX = 1 << 20 /* of a class's span */, LARGE_MAX = 1 << 16 };

struct walk {
	struct tcmalloc *m;
	uint64_t words[WORDS];
	uint64_t have;                  /* page of words[0] */
	size_t n;
	char *content, *is_free;        /* of one span */
};

static void tell(const struct tcmalloc *m, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	if (m->sink && bytes) m->sink->range(m->sink, start, bytes, what);
}

/* The word of a page in its leaf. */
static uint64_t word_of(struct walk *w, uint64_t page)
{
	struct tcmalloc *m = w->m;
	unsigned bits = tcmalloc_leaf_bits(m->page_shift);
	uint64_t mask = ((uint64_t)1 << bits) - 1, leaf;

	if (page - w->have < w->n) return w->words[page - w->have];
	leaf = window_u64(m->w, m->found->extra[TCMALLOC_EXTRA_ROOT] + (page >> bits) * 8);
	if (leaf % 8 || !target_is_anonymous(m->t, leaf)) leaf = 0;
	w->have = page;
	w->n = mask + 1 - (page & mask) < WORDS ? (size_t)(mask + 1 - (page & mask)) : WORDS;
	if (leaf) {
		size_t got = mem_read_some(m->t->mem, leaf + (page & mask) * 8, w->words, w->n * 8) / 8;
		tcmalloc_meta(m, leaf, (mask + 1) * 8);
		w->n = got ? got : 1;
		if (!got) w->words[0] = 0;
	} else memset(w->words, 0, w->n * 8);
	return w->words[page - w->have];
}

static void add_large(struct tcmalloc *m, uint64_t bytes)
{
	size_t lo = 0, hi = m->nlarge;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (m->large[mid].bytes < bytes) lo = mid + 1;
		else hi = mid;
	}
	if (lo == m->nlarge || m->large[lo].bytes != bytes) {
		if (m->nlarge >= LARGE_MAX) lo = m->nlarge - 1;         /* lengths beyond count are told as the longest */
		else {
			if (!(m->nlarge & (m->nlarge - 1))) m->large = xreallocarray(m->large, m->nlarge ? m->nlarge * 2 : 1, sizeof *m->large);
			memmove(&m->large[lo + 1], &m->large[lo], (m->nlarge++ - lo) * sizeof *m->large);
			m->large[lo] = (struct tcmalloc_large){ bytes, 0 };
		}
	}
	m->large[lo].n++;
}

/* The objects of one span: which are free, by its list. */
static void objects(struct walk *w, const struct tcmalloc_span *s, uint64_t start, uint64_t bytes)
{
	struct tcmalloc *m = w->m;
	uint64_t size = m->class[s->sizeclass].size, n = bytes / size, nfree = 0, run = 0;

	if (bytes > SPAN_BYTES_MAX || mem_read_some(m->t->mem, start, w->content, bytes) < bytes) {
		tcmalloc_bad(m, "the span at 0x%" PRIx64 " cannot be read", start);
		tell(m, start, bytes, ALLOCATOR_MANAGED);
		return;
	}
	memset(w->is_free, 0, n);
	for (uint64_t p = s->objects; p; p = window_word(w->content, p - start)) {
		if (p < start || p - start > bytes - size || (p - start) % size || w->is_free[(p - start) / size]) {
			tcmalloc_bad(m, "the list of free objects of the span at 0x%" PRIx64 " is broken", start);
			break;
		}
		w->is_free[(p - start) / size] = 1;
		nfree++;
	}
	if (nfree + s->refcount != n) tcmalloc_bad(m, "the span at 0x%" PRIx64 " has %" PRIu64 " objects, %" PRIu64 " free and %u not", start, n, nfree, s->refcount);
	for (uint64_t i = 0; i < n; i++) {
		run++;
		if (i + 1 < n && w->is_free[i + 1] == w->is_free[i]) continue;
		tell(m, start + (i + 1 - run) * size, run * size, w->is_free[i] ? ALLOCATOR_FREE : ALLOCATOR_LIVE);
		run = 0;
	}
	tell(m, start + n * size, bytes - n * size, ALLOCATOR_FREE);
}

static void see(struct walk *w, uint64_t addr, const struct tcmalloc_span *s)
{
	struct tcmalloc *m = w->m;
	uint64_t start = s->start << m->page_shift, bytes = s->length << m->page_shift;

	m->spans++;
	tcmalloc_meta(m, addr, TCMALLOC_SPAN);
	if (s->location != TCMALLOC_IN_USE) {
		*(s->location == TCMALLOC_FREE ? &m->free : &m->returned) += bytes;
		tell(m, start, bytes, ALLOCATOR_TRIMMABLE);
		return;
	}
	m->in_use += bytes;
	if (!s->sizeclass) {
		add_large(m, bytes);
		tell(m, start, bytes, ALLOCATOR_LIVE);
		return;
	}
	struct tcmalloc_class *c = &m->class[s->sizeclass];
	if (s->sizeclass >= m->nclasses || s->refcount > bytes / c->size) {
		tcmalloc_bad(m, "the span at 0x%" PRIx64 " has class %u and %u objects", start, s->sizeclass, s->refcount);
		tell(m, start, bytes, ALLOCATOR_MANAGED);
		return;
	}
	c->spans++;
	c->bytes += bytes;
	c->room += bytes / c->size;
	c->out += s->refcount;
	if (s->refcount <= bytes / c->size / 4) c->pinned++;
	if (m->flags & ALLOCATOR_FULL) objects(w, s, start, bytes);
	else tell(m, start, bytes, ALLOCATOR_MANAGED);
}

static void walk_map(struct walk *w, const struct map *map)
{
	struct tcmalloc *m = w->m;
	unsigned shift = m->page_shift, bits = tcmalloc_leaf_bits(shift);
	uint64_t page = (map->start + ((uint64_t)1 << shift) - 1) >> shift, end = map->end >> shift;
	int follows = 0;                /* a span ended here */

	while (page < end && m->words++ < WORDS_MAX) {
		uint64_t addr = word_of(w, page);
		struct tcmalloc_span s;
		if (!addr) {
			follows = 0;
			/* nothing of tcmalloc's in this leaf's part of the address space? */
			if (!window_u64(m->w, m->found->extra[TCMALLOC_EXTRA_ROOT] + (page >> bits) * 8)) page = ((page >> bits) + 1) << bits;
			else page++;
			continue;
		}
		if (tcmalloc_span_read(m->w, addr, &s) || s.start != page || !s.length || s.length > end - page || s.location > TCMALLOC_RETURNED) {
			tcmalloc_bad(m, "%s 0x%" PRIx64 " makes no sense", follows ? "the span after another at" : "the span at", page << shift);
			page++;
			continue;
		}
		see(w, addr, &s);
		follows = 1;
		page += s.length;
	}
}

void tcmalloc_spans(struct tcmalloc *m)
{
	struct walk *w = xcalloc(1, sizeof *w);
	int full = m->flags & ALLOCATOR_FULL;

	w->m = m;
	if (full) {
		w->content = xmalloc(SPAN_BYTES_MAX);
		w->is_free = xmalloc(SPAN_BYTES_MAX / 8);
	}
	for (size_t i = 0; i < m->t->maps.n; i++) {
		const struct map *map = &m->t->maps.map[i];
		if (!map->inode && !map->shared && !(map->end >> 47) && target_is_anonymous(m->t, map->start)) walk_map(w, map);
	}
	if (m->words >= WORDS_MAX) tcmalloc_bad(m, "its map of pages has no end");
	free(w->content);
	free(w->is_free);
	free(w);
}
