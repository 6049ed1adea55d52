/* oldmalloc_walk.c: from chunk to chunk through every area. The sizes are in the chunks' own headers only, so the heap is read, in pieces; bodies
 * larger than a piece are not. A size must stand at both ends of its chunk; where it does not, the heap changed under us, or is corrupt. */
#include "inspect/allocator/oldmalloc.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	WINDOW = 128 << 10,
	TABLE_SPAN = 2 << 20,           /* what one page of page table maps: reading ahead never goes beyond */
	FOREIGN = 1 << 16,              /* pages of a mapping that are not ours, before the rest of it is left alone; */
	BLANK = 64,                     /* of those that begin with zeros so many in a row: it was never used, and shall not be touched */
	GAP = 2 * OLDMALLOC_PAGE,       /* of an object's first and last pages, what the loader may have donated */
};

/* The two sizes in front of a chunk. 0 or -1. */
static int header(struct oldmalloc_walk *w, uint64_t addr, uint64_t *psize, uint64_t *csize)
{
	if (addr < w->start || addr - w->start + OLDMALLOC_HEADER > w->bytes) {
		uint64_t span = TABLE_SPAN - addr % TABLE_SPAN, want = span < WINDOW ? span : WINDOW;
		w->start = addr;
		w->bytes = mem_read_some(w->t->mem, addr, w->window, want > OLDMALLOC_HEADER ? want : OLDMALLOC_HEADER);
		if (w->bytes < OLDMALLOC_HEADER) return -1;
	}
	memcpy(psize, w->window + (addr - w->start), sizeof *psize);
	memcpy(csize, w->window + (addr - w->start) + 8, sizeof *csize);
	return 0;
}

static void flush(struct oldmalloc_walk *w)
{
	if (w->run_bytes && w->sink) w->sink->range(w->sink, w->run, w->run_bytes, w->run_what);
	w->run_bytes = 0;
}

/* Neighbours of a kind are told in one. */
static void tell(struct oldmalloc_walk *w, uint64_t addr, uint64_t bytes, enum allocator_range what)
{
	if (w->run_bytes && w->run + w->run_bytes == addr && w->run_what == what) {
		w->run_bytes += bytes;
		return;
	}
	flush(w);
	w->run = addr;
	w->run_bytes = bytes;
	w->run_what = what;
}

static void count(struct oldmalloc_walk *w, uint64_t addr, uint64_t size, int in_use)
{
	struct oldmalloc_tally *t = size / OLDMALLOC_ALIGN <= OLDMALLOC_SIZES ? &w->tally[size / OLDMALLOC_ALIGN] : NULL;

	tell(w, addr, size, in_use ? ALLOCATOR_LIVE : ALLOCATOR_FREE);
	if (in_use) {
		w->live++;
		w->live_bytes += size - OLDMALLOC_HEADER;
		if (t) t->live++;
		else w->large++, w->large_bytes += size - OLDMALLOC_HEADER;
	} else {
		w->free++;
		w->free_bytes += size - OLDMALLOC_HEADER;
		if (t) t->free++;
	}
}

/* Is there a chain of chunks from addr, all sound, to a closing chunk before end? Its address, or 0. */
static uint64_t chain_end(struct oldmalloc_walk *w, uint64_t addr, uint64_t end)
{
	uint64_t psize, csize, expect = OLDMALLOC_IN_USE, at = addr;

	while (end - at >= OLDMALLOC_HEADER && !header(w, at, &psize, &csize) && psize == expect) {
		uint64_t size = csize & ~(uint64_t)OLDMALLOC_IN_USE;
		if (!size) return csize && at != addr ? at : 0;
		if (size % OLDMALLOC_ALIGN || size > end - at) return 0;
		expect = csize;
		at += size;
	}
	return 0;
}

/* The chunks of an area, whose first header is at addr. Returns where it ends; where the chain breaks, what is left of the mapping up to `end` is the
   allocator's, and not known better. */
static uint64_t walk_area(struct oldmalloc_walk *w, uint64_t addr, uint64_t end)
{
	uint64_t psize, csize, last = OLDMALLOC_IN_USE, at = addr;

	w->areas++;
	while (end - at >= OLDMALLOC_HEADER && !header(w, at, &psize, &csize)) {
		uint64_t size = csize & ~(uint64_t)OLDMALLOC_IN_USE;
		w->bad += psize != last;
		if (!size && csize) {
			tell(w, at, OLDMALLOC_HEADER, ALLOCATOR_METADATA);
			return at + OLDMALLOC_HEADER;
		}
		if (!size || size % OLDMALLOC_ALIGN || size > end - at) break;
		count(w, at, size, csize & OLDMALLOC_IN_USE);
		last = csize;
		at += size;
	}
	w->bad++;
	tell(w, at, end - at, ALLOCATOR_MANAGED);
	return end;
}

/* A mapped chunk, of which `extra` bytes stand before its header: does it fill whole pages that are there? */
static int fills(uint64_t csize, uint64_t extra, uint64_t room)
{
	return csize && !(csize & OLDMALLOC_IN_USE) && csize + extra > csize && csize + extra <= room && (csize + extra) % OLDMALLOC_PAGE == 0;
}

/* One chunk with a mapping of its own, at the beginning of which a header was found. memalign leaves that behind and makes a second one further
   on, which knows how far on it is, and is the one that realloc keeps up to date. Returns the end, or 0 when neither fits. */
static uint64_t count_mapped(struct oldmalloc_walk *w, uint64_t at, uint64_t extra, uint64_t csize, uint64_t room)
{
	uint64_t other, size;

	for (uint64_t o = extra + OLDMALLOC_HEADER; o < OLDMALLOC_PAGE && !header(w, at + o, &other, &size); o += OLDMALLOC_HEADER)
		if (other == o && fills(size, o, room)) {
			extra = o;
			csize = size;
		}
	if (!fills(csize, extra, room)) return 0;
	tell(w, at, extra + OLDMALLOC_HEADER, ALLOCATOR_METADATA);
	tell(w, at + extra + OLDMALLOC_HEADER, csize - OLDMALLOC_HEADER, ALLOCATOR_LIVE);
	w->mappings++;
	w->live++;
	w->large++;
	w->live_bytes += csize - OLDMALLOC_HEADER;
	w->large_bytes += csize - OLDMALLOC_HEADER;
	return at + extra + csize;
}

/* What begins at a page of anonymous memory: an area, a chunk with a mapping of its own, or nothing of ours. Returns where it ends, or 0. */
static uint64_t walk_piece(struct oldmalloc_walk *w, uint64_t at, uint64_t end)
{
	const uint64_t front = OLDMALLOC_ALIGN - OLDMALLOC_HEADER;
	uint64_t psize, csize, stop;

	if (end - at < OLDMALLOC_PAGE || header(w, at + front, &psize, &csize)) return 0;
	if (psize == OLDMALLOC_IN_USE && csize > OLDMALLOC_IN_USE && (csize & ~(uint64_t)OLDMALLOC_IN_USE) % OLDMALLOC_ALIGN == 0) {
		tell(w, at, front, ALLOCATOR_METADATA);
		stop = walk_area(w, at + front, end);
	} else if (psize != front || (csize + front) % OLDMALLOC_PAGE || !(stop = count_mapped(w, at, front, csize, end - at))) return 0;
	stop = (stop + OLDMALLOC_PAGE - 1) & ~(uint64_t)(OLDMALLOC_PAGE - 1);
	w->mapped += stop - at;
	return stop;
}

static void walk_mapping(struct oldmalloc_walk *w, const struct map *m)
{
	unsigned foreign = 0, blank = 0;

	for (uint64_t at = m->start, psize, csize; at < m->end && foreign < FOREIGN && blank < BLANK;) {
		uint64_t stop = walk_piece(w, at, m->end);
		/* the break is the allocator's alone: musl's sbrk refuses to move it */
		if (!stop && m->path[0] == '[') {
			w->bad++;
			w->mapped += m->end - at;
			tell(w, at, m->end - at, ALLOCATOR_MANAGED);
			break;
		}
		if (stop) {
			blank = 0;
			at = stop;
			continue;
		}
		foreign++;
		if (header(w, at + OLDMALLOC_ALIGN - OLDMALLOC_HEADER, &psize, &csize)) break;
		blank = psize || csize ? 0 : blank + 1;
		at += OLDMALLOC_PAGE;
	}
	flush(w);
}

/* Gaps around an object's data that the loader gave to the allocator: whole chains of chunks, found by being sound. */
static void walk_gap(struct oldmalloc_walk *w, uint64_t from, uint64_t to)
{
	for (uint64_t at = (from & ~(uint64_t)(OLDMALLOC_ALIGN - 1)) + OLDMALLOC_HEADER; at < to;) {
		uint64_t stop = at >= from ? chain_end(w, at, to) : 0;
		if (stop) {
			walk_area(w, at, to);
			w->mapped += stop + OLDMALLOC_HEADER - at;
			at = stop;
		}
		at += OLDMALLOC_ALIGN;
	}
	flush(w);
}

void oldmalloc_walk(struct oldmalloc_walk *w, const struct target *t, struct allocator_sink *sink)
{
	struct target_region *r;
	size_t n = target_data_regions(t, &r);

	*w = (struct oldmalloc_walk){ .t = t, .sink = sink, .window = xmalloc(WINDOW) };
	for (size_t i = 0; i < t->maps.n; i++) {
		const struct map *m = &t->maps.map[i];
		size_t j = 0;
		if (!target_is_anonymous(t, m->start)) continue;
		while (j < n && !(m->start >= r[j].start && m->start < r[j].end)) j++;
		if (j == n) walk_mapping(w, m);
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t middle = r[i].end - r[i].start > 2 * GAP ? r[i].start + GAP : r[i].end;
		walk_gap(w, r[i].start, middle);
		if (middle < r[i].end) walk_gap(w, r[i].end - GAP, r[i].end);
	}
	free(r);
	free(w->window);
	w->window = NULL;
}
