/* glibc_bins.c: the lists of freed chunks that an arena keeps: fastbins (single links, mangled since 2.32, chunks that look live from
 * outside) and bins (double links, never mangled). */
#include "inspect/allocator/glibc.h"

#include <string.h>

#include "inspect/target/mem.h"

enum { TRIES = 4, PAGE = 4096 };

/* Of a list that is followed: chunks that were freed one after the other lie side by side, and there may be millions. */
struct page { uint64_t at; size_t n; unsigned char bytes[PAGE]; };

static int read_chunk(const struct glibc *g, struct page *p, uint64_t addr, void *out, size_t n)
{
	size_t offset = addr % PAGE;

	if (offset + n > PAGE) return -(mem_read_some(g->t->mem, addr, out, n) < n);
	if (!p->n || p->at != addr - offset) {
		p->at = addr - offset;
		p->n = mem_read_some(g->t->mem, p->at, p->bytes, PAGE);
	}
	if (offset + n > p->n) return -1;
	memcpy(out, p->bytes + offset, n);
	return 0;
}

static uint64_t unmangle(const struct glibc *g, uint64_t at, uint64_t link)
{
	return g->safe_linking ? link ^ at >> 12 : link;
}

/* One fastbin; -1 when a link makes no sense, with chunks of this bin's size only. */
static int fastbin(struct glibc *g, size_t arena, unsigned bin, uint64_t addr, uint64_t *steps, int keep)
{
	struct page page = { .n = 0 };
	struct glibc_chunk c;
	uint64_t want = GLIBC_MINSIZE + 16 * bin;

	while (addr && *steps) {
		--*steps;
		if (addr % GLIBC_ALIGN || read_chunk(g, &page, addr, &c, 24) || (c.size & ~(uint64_t)GLIBC_BITS) != want) return -1;
		if (keep) glibc_special_add(g, addr, want, ALLOCATOR_FREE, arena);
		addr = unmangle(g, addr + 16, c.fd);
	}
	return addr ? -1 : 0;
}

/* Tells 2.31 from 2.32 where nothing else did: only one reading of the links makes lists. */
static void learn_mangling(struct glibc *g)
{
	unsigned good[2] = { 0, 0 };

	for (unsigned safe = 0; safe < 2; safe++) {
		g->safe_linking = safe;
		for (size_t i = 0; i < g->narenas; i++)
			for (unsigned b = 0; b < GLIBC_FASTBINS; b++) {
				uint64_t steps = 64, head = glibc_u64(g->arena[i].state, g->layout->fastbins + 8u * b);
				if (head && (!fastbin(g, i, b, head, &steps, 0) || !steps)) good[safe]++;
			}
	}
	g->safe_linking = good[1] >= good[0];
	g->mangling_known = good[0] != good[1];
}

void glibc_fastbins(struct glibc *g, uint64_t *steps)
{
	if (!g->layout->fastbins) return;
	if (!g->mangling_known) learn_mangling(g);
	for (size_t i = 0; i < g->narenas; i++)
		for (unsigned b = 0; b < GLIBC_FASTBINS; b++) {
			uint64_t at = g->layout->fastbins + 8u * b, head = glibc_u64(g->arena[i].state, at);
			size_t specials = g->nspecials;
			unsigned n = 0;
			/* chunks come and go while we look */
			while (fastbin(g, i, b, head, steps, 1) && *steps) {
				if (++n == TRIES || mem_read_some(g->t->mem, g->arena[i].addr + at, &head, 8) < 8) {
					glibc_bad(g, "arena %zu: fastbin %u is no list", i, b);
					break;
				}
				g->nspecials = specials;
			}
		}
}

/* The bins of arena i, as `state` has their heads: 0, -1 when there are too many chunks, or 1 when one is no list: *bin. */
static int arena_bins(struct glibc *g, size_t i, const unsigned char *state, uint64_t *steps, unsigned *bin)
{
	for (*bin = 0; *bin < GLIBC_BINS; ++*bin) {
		uint64_t head = g->arena[i].addr + g->layout->bins + 16 * *bin - 16, prev = head;
		uint64_t addr = glibc_u64(state, g->layout->bins + 16u * *bin);
		struct glibc_chunk c;
		while (addr != head) {
			if (!*steps || !--*steps) return -1;
			if (addr % GLIBC_ALIGN || mem_read_some(g->t->mem, addr, &c, sizeof c) < sizeof c || c.bk != prev ||
			    (c.size & ~(uint64_t)GLIBC_BITS) < GLIBC_MINSIZE || (c.size & ~(uint64_t)GLIBC_BITS) > g->arena[i].system_mem)
				return 1;
			glibc_special_add(g, addr, c.size & ~(uint64_t)GLIBC_BITS, ALLOCATOR_FREE, i);
			prev = addr;
			addr = c.fd;
		}
	}
	return 0;
}

int glibc_bins(struct glibc *g, uint64_t *steps)
{
	unsigned char now[GLIBC_STATE];

	for (size_t i = 0; i < g->narenas; i++) {
		struct glibc_arena *a = &g->arena[i];
		const unsigned char *state = a->state;
		size_t specials = g->nspecials;
		unsigned n = 0, bin;
		int status;
		if (!a->system_mem || a->unknown) continue;
		while ((status = arena_bins(g, i, state, steps, &bin)) > 0) {
			if (++n == TRIES || mem_read_some(g->t->mem, a->addr, now, g->layout->size) < g->layout->size) {
				/* what was not seen in it would pass for live */
				glibc_bad(g, "arena %zu: bin %u is no list", i, bin);
				a->unknown = 1;
				break;
			}
			state = now;
			g->nspecials = specials;
		}
		if (status < 0) return -1;
	}
	return 0;
}
