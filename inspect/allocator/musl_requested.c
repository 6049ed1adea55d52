/* musl_requested.c: how much the program asked for, block by block. mallocng notes at the edges of a slot where in it the block begins and how
 * many bytes at its end are spare (enframe and set_size in src/malloc/mallocng/meta.h). Slots that are free or were never used are not
 * read, of large ones only the edges; so the pass touches no page that the program did not. */
#include "inspect/allocator/musl.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	APART = 4096,                   /* strides from here on: edges are read one by one */
	GROUP_MAX = MUSL_UNIT + 32 * APART,
	WINDOW = GROUP_MAX > 256 << 10 ? GROUP_MAX : 256 << 10,
	TABLE_SPAN = 2 << 20,           /* what one page of page table maps: reading ahead never goes beyond */
	FRAMED = 7,                     /* in the field for spare bytes: the block begins further on in the slot */
	NESTED = 6,                     /* the slot holds a group */
	LONG = 5,                       /* the count of spare bytes stands at the end of the slot */
	OFFSET_WRAP = 65536 * MUSL_UNIT,
	OFFSET_WRAPS = 65536,           /* blocks aligned to more than 64 GiB are not looked for */
};

/* Bytes of the heap at hand. Reads ahead, more when that proved right and less when it did not. */
struct window { struct mem *mem; char *buf; uint64_t start, bytes, ahead, served; };

static const char *fetch(struct window *w, uint64_t addr, uint64_t n)
{
	if (addr < w->start || addr - w->start > w->bytes || n > w->bytes - (addr - w->start)) {
		uint64_t span = TABLE_SPAN - addr % TABLE_SPAN;
		if (w->served * 2 >= w->bytes) w->ahead = w->ahead < WINDOW ? w->ahead * 2 : WINDOW;
		else w->ahead /= 2;
		if (w->ahead < 1024) w->ahead = 1024;
		uint64_t want = w->ahead < span ? w->ahead : span;
		w->served = 0;
		w->start = addr;
		w->bytes = mem_read_some(w->mem, addr, w->buf, want > n ? want : n);
		if (w->bytes < n) return NULL;
	}
	w->served += n;
	return w->buf + (addr - w->start);
}

static uint16_t u16(const char *p) { uint16_t v; memcpy(&v, p, sizeof v); return v; }
static uint32_t u32(const char *p) { uint32_t v; memcpy(&v, p, sizeof v); return v; }
static uint64_t u64(const char *p) { uint64_t v; memcpy(&v, p, sizeof v); return v; }

enum { BAD = -1, CONTAINER = -2 };

/* Spare bytes as noted in front of a block at `p` in the slot, `tail`: the last eight bytes of the slot's usable part. */
static int64_t size_of(uint8_t field, uint32_t slot, uint64_t room, const char *tail)
{
	uint64_t spare = field >> 5;

	if ((field & 31) != slot) return BAD;
	if (spare == NESTED) return CONTAINER;
	if (spare > LONG) return BAD;
	if (spare == LONG) spare = u32(tail + 4);
	if (spare > room) return BAD;
	return (int64_t)(room - spare);
}

/* One slot, all of it at hand: `s` is its start, the three bytes before it are there too. */
static int64_t near(const char *s, uint64_t stride, uint32_t slot)
{
	uint64_t room = stride - MUSL_EDGE;
	const char *tail = s + room - 8, *p = s;

	if ((uint8_t)s[-3] == FRAMED << 5) {
		uint64_t off = (uint64_t)u16(s - 2) * MUSL_UNIT;
		if (off >= room) return BAD;
		p = s + off;
		room -= off;
	}
	return size_of((uint8_t)p[-3], slot, room, tail);
}

/* The header of a block of a mapping of its own that begins so much further on that 16 bits do not hold it (aligned_alloc). */
static int far_header(struct mem *mem, uint64_t start, uint64_t room, uint64_t *off, char head[8])
{
	for (unsigned i = 0; i < OFFSET_WRAPS && *off < room; i++, *off += OFFSET_WRAP) {
		uint64_t units = *off / MUSL_UNIT;
		if (mem_read_some(mem, start + *off - 8, head, 8) < 8) return -1;
		if (head[4] ? units > 0xffff && u32(head) == units : u16(head + 6) == units && units) return 0;
	}
	return -1;
}

/* One slot of which nothing is at hand. */
static int64_t apart(struct mem *mem, const struct musl_group *g, uint64_t start, uint32_t slot)
{
	uint64_t room = g->stride - MUSL_EDGE, off = 0;
	char head[8], tail[8] = { 0 };

	if (mem_read_some(mem, start - 8, head, 8) < 8) return BAD;
	if ((uint8_t)head[5] == FRAMED << 5) {
		off = (uint64_t)u16(head + 6) * MUSL_UNIT;
		if (g->single ? far_header(mem, start, room, &off, head) : off >= room || mem_read_some(mem, start + off - 8, head, 8) < 8)
			return BAD;
	}
	if ((uint8_t)head[5] >> 5 == LONG && mem_read_some(mem, start + room - 8, tail, 8) < 8) return BAD;
	return size_of((uint8_t)head[5], slot, room - off, tail);
}

static void add(struct musl_requested *r, const struct musl_group *g, int64_t size)
{
	struct musl_sum *sum = g->single ? &r->single : &r->class[g->sizeclass];

	if (size == BAD) r->bad++;
	/* a single block that went before it was looked at: its mapping was made to its measure, to a page */
	if (size == BAD && g->single) size = (int64_t)g->stride - MUSL_EDGE;
	if (size < 0) return;
	sum->objects++;
	sum->bytes += (uint64_t)size;
}

/* `meta`: the address that the group's header must point back to. */
static void group(struct musl_requested *r, struct window *w, const struct musl_group *g, uint64_t meta)
{
	uint32_t used = musl_used(g);

	if (!used) return;
	if (g->stride >= APART) {
		char head[8];
		int there = mem_read_some(w->mem, g->mem, head, sizeof head) == sizeof head && u64(head) == meta;
		for (; used; used &= used - 1) {
			uint32_t slot = (uint32_t)__builtin_ctz(used);
			add(r, g, there ? apart(w->mem, g, g->mem + MUSL_UNIT + slot * g->stride, slot) : BAD);
		}
		return;
	}
	const char *bytes = fetch(w, g->mem, MUSL_UNIT + g->stride * (32 - (uint32_t)__builtin_clz(used)));
	if (!bytes || u64(bytes) != meta) {
		r->bad++;
		return;
	}
	for (; used; used &= used - 1) {
		uint32_t slot = (uint32_t)__builtin_ctz(used);
		add(r, g, near(bytes + MUSL_UNIT + slot * g->stride, g->stride, slot));
	}
}

/* So many blocks of the size of those in *s. */
static void settle(struct musl_requested *r, struct musl_sum *s, uint64_t live)
{
	if (s->objects != live) {
		r->bad++;
		if (s->objects) s->bytes = (uint64_t)((double)s->bytes / (double)s->objects * (double)live);
		s->objects = live;
	}
	r->all.objects += s->objects;
	r->all.bytes += s->bytes;
}

void musl_requested(struct musl_requested *r, const struct target *t, const struct musl_context *c, const struct musl_totals *n)
{
	struct musl_walk walk;
	struct window w = { .mem = t->mem, .buf = xmalloc(WINDOW), .ahead = 64 << 10 };
	const struct musl_area *a;
	struct musl_group g = { 0 };

	*r = (struct musl_requested){ 0 };
	musl_walk_open(&walk, t, c);
	while ((a = musl_walk_area(&walk)))
		for (unsigned i = 0; i < MUSL_METAS; i++)
			if (a->meta[i].mem && musl_walk_group(&walk, &a->meta[i], &g))
				group(r, &w, &g, walk.at + offsetof(struct musl_area, meta) + i * sizeof *a->meta);
	r->bad += walk.bad;
	for (unsigned i = 0; i < MUSL_CLASSES; i++) settle(r, &r->class[i], n->class[i].used);
	settle(r, &r->single, n->single);
	musl_walk_close(&walk);
	free(w.buf);
}
