/* window.c: see window.h. Pages are kept by their address, mixed: no search, no list to maintain; and what is aligned to megabytes does not
 * collide. */
#include "inspect/allocator/window.h"

#include <stdlib.h>

#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096, KEPT = 256, PIECE = 256 << 10, REGION_MAX = 64 << 20 };

struct window {
	const struct target *t;
	uint64_t cost;
	uint64_t at[KEPT];              /* address of the page + 1, 0: none: address 0 is never asked for */
	uint16_t have[KEPT];            /* readable bytes of it */
	char page[KEPT][PAGE];
	char piece[WINDOW_LOAD];
};

struct window *window_open(const struct target *t)
{
	struct window *w = xcalloc(1, sizeof *w);

	w->t = t;
	return w;
}

void window_close(struct window *w)
{
	free(w);
}

static size_t slot_of(uint64_t page)
{
	return (page / PAGE ^ page >> 21 ^ page >> 29) % KEPT;
}

void window_load(struct window *w, uint64_t addr, size_t n)
{
	uint64_t start = addr & ~(uint64_t)(PAGE - 1);
	size_t got;

	n = (size_t)(addr - start) + (n < WINDOW_LOAD ? n : WINDOW_LOAD);
	if (n > WINDOW_LOAD) n = WINDOW_LOAD;
	if (start + n < start) return;
	got = target_peek(w->t, start, w->piece, n);
	w->cost += got;
	for (size_t off = 0; off + PAGE <= got; off += PAGE) {
		size_t slot = slot_of(start + off);
		w->at[slot] = start + off + 1;
		w->have[slot] = PAGE;
		memcpy(w->page[slot], w->piece + off, PAGE);
	}
}

int window_read(struct window *w, uint64_t addr, void *buf, size_t n)
{
	char *out = buf;

	for (size_t done = 0; done < n;) {
		uint64_t a = addr + done, page = a & ~(uint64_t)(PAGE - 1);
		size_t slot = slot_of(page), off = a - page, part = PAGE - off < n - done ? PAGE - off : n - done;
		if (a < addr) goto unreadable;
		if (w->at[slot] != page + 1) {
			w->at[slot] = page + 1;
			w->have[slot] = (uint16_t)target_peek(w->t, page, w->page[slot], PAGE);
			w->cost += w->have[slot];
		}
		if (w->have[slot] < off + part) goto unreadable;
		memcpy(out + done, w->page[slot] + off, part);
		done += part;
	}
	return 0;
unreadable:
	memset(buf, 0, n);
	return -1;
}

uint64_t window_u64(struct window *w, uint64_t addr)
{
	uint64_t v;

	window_read(w, addr, &v, sizeof v);
	return v;
}

uint64_t window_cost(const struct window *w)
{
	return w->cost;
}

int window_scan(const struct target *t, const struct target_region *r, uint64_t from, size_t tail, window_scan_fn *fn, void *arg)
{
	uint64_t start = from > r->start ? from : r->start, end = r->end;
	char *buf;
	int stop = 0;

	if (end > r->start + REGION_MAX) end = r->start + REGION_MAX;
	if (start >= end) return 0;
	buf = xmalloc(PIECE + tail - 8);
	for (uint64_t at = start; at < end && !stop; at += PIECE) {
		size_t want = end - at < PIECE + tail - 8 ? (size_t)(end - at) : PIECE + tail - 8, got = mem_read_some(t->mem, at, buf, want);
		if (got >= tail) stop = fn(arg, at, buf, got);
		if (got < want) break;
	}
	free(buf);
	return stop;
}
