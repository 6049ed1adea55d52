/* musl_walk.c: one pass over the metadata of a mallocng heap, in order of the chain of areas. Areas mostly lie one behind the other, so a
 * read fetches many; where they do not, the window shrinks to one page. A chain that leads nowhere or into itself ends the pass and counts
 * as bad. */
#include "inspect/allocator/musl.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { WINDOW = 64 * MUSL_PAGE };

const uint16_t musl_units[MUSL_CLASSES] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 20, 25, 31, 36, 42, 50, 63, 72, 84, 102, 127,
	146, 170, 204, 255, 292, 340, 409, 511, 584, 682, 818, 1023, 1169, 1364, 1637, 2047,
	2340, 2730, 3276, 4095, 4680, 5460, 6552, 8191,
};

void musl_shape(struct musl_group *g, uint64_t bits)
{
	uint32_t last = bits & 31, sc = bits >> 6 & 63;
	uint64_t maplen = bits >> 12;

	*g = (struct musl_group){ .bits = bits, .slots = last + 1, .sizeclass = (uint8_t)sc };
	g->single = !last && maplen;
	g->donated = !maplen && !(bits & 32);
	g->nested = !maplen && bits & 32;
	if (maplen >> 44 || (sc >= MUSL_CLASSES && (sc != MUSL_INDIVIDUAL || !g->single))) return;
	g->mapped = maplen * MUSL_PAGE;
	g->stride = g->single ? g->mapped - MUSL_UNIT : (uint64_t)musl_units[sc] * MUSL_UNIT;
	g->extent = MUSL_UNIT + g->stride * g->slots;
	g->span = maplen ? g->mapped : g->extent;
	if (g->span - g->extent < MUSL_SLACK_MAX) g->all = (uint32_t)(((uint64_t)1 << g->slots) - 1);
}

int musl_container(uint64_t extent)
{
	static uint8_t class[MUSL_NESTED_UNITS + 1];    /* by units, class + 1 */
	uint64_t units = extent / MUSL_UNIT;

	if (!units || units > MUSL_NESTED_UNITS) return -1;
	if (!class[units]) {
		unsigned c = 0;
		while (musl_units[c] < units) c++;
		class[units] = (uint8_t)(c + 1);
	}
	return class[units] - 1;
}

void musl_walk_open(struct musl_walk *w, const struct target *t, const struct musl_context *c)
{
	uint64_t pages = 0;

	*w = (struct musl_walk){ .t = t, .secret = c->secret, .next = c->meta_area_head, .power = 1, .ahead = WINDOW };
	for (size_t i = 0; i < t->maps.n; i++)
		if (t->maps.map[i].write) pages += (t->maps.map[i].end - t->maps.map[i].start) / MUSL_PAGE;
	w->limit = 2 * pages + 1024;    /* it may have grown since its map was read */
	w->window = xmalloc(WINDOW);
}

void musl_walk_close(struct musl_walk *w)
{
	free(w->window);
}

/* The page at addr, in the window. */
static const struct musl_area *page(struct musl_walk *w, uint64_t addr)
{
	uint64_t end = w->start + w->bytes;

	if (addr < w->start || addr + MUSL_PAGE > end) {
		if (w->bytes && addr != end) w->ahead = MUSL_PAGE;
		else if (w->bytes && w->ahead < WINDOW) w->ahead *= 2;
		w->start = addr;
		w->bytes = mem_read_some(w->t->mem, addr, w->window, w->ahead) & ~(uint64_t)(MUSL_PAGE - 1);
		if (!w->bytes) return NULL;
	}
	return (const struct musl_area *)(w->window + (addr - w->start));
}

/* Has the chain come back to where it was? The anchor moves on at each power of two. */
static int cycle(struct musl_walk *w, uint64_t addr)
{
	if (addr == w->anchor) return 1;
	if (++w->lap == w->power) {
		w->anchor = addr;
		w->power *= 2;
		w->lap = 0;
	}
	return 0;
}

const struct musl_area *musl_walk_area(struct musl_walk *w)
{
	const struct musl_area *a;
	uint64_t addr = w->next;

	w->next = 0;
	if (!addr) return NULL;
	if (addr % MUSL_PAGE || addr >> 56 || cycle(w, addr) || w->areas++ >= w->limit || !(a = page(w, addr)) || a->check != w->secret ||
	    a->nslots != MUSL_METAS) {
		w->bad++;
		return NULL;
	}
	w->at = addr;
	w->next = a->next;
	return a;
}

/* In memory that came after the map was read: then its header points back to the meta, and its last byte can be read. */
static int is_new(struct musl_walk *w, const struct musl_meta *m, const struct musl_group *g)
{
	uint64_t own = w->at + (uint64_t)((const char *)m - (w->window + (w->at - w->start))), back;
	char last;

	return mem_read_some(w->t->mem, g->mem, &back, sizeof back) == sizeof back && back == own &&
	       mem_read_some(w->t->mem, g->mem + g->span - 1, &last, 1) == 1;
}

int musl_walk_there_slow(struct musl_walk *w, const struct musl_meta *meta, const struct musl_group *g)
{
	const struct map *m = maps_find(&w->t->maps, g->mem), *end = w->t->maps.map + w->t->maps.n;

	if (!m || !m->write || !m->read || m->shared) return is_new(w, meta, g);
	w->low = m->start;
	/* what was one mapping may have become several, by mprotect or madvise of the program's own */
	for (w->high = m->end; ++m < end && m->start == w->high && m->write && m->read && !m->shared;) w->high = m->end;
	return g->span <= w->high - g->mem || is_new(w, meta, g);
}
