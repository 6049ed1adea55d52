/* musl_count.c: live and free by size class from the metas alone: the heap itself is not read. */
#include "inspect/allocator/musl.h"

/* A block with a mapping of its own, of any class. */
static void count_single(struct musl_totals *n, const struct musl_group *g)
{
	uint64_t usable = g->stride - MUSL_EDGE;

	n->mapped += g->mapped;
	if (g->free) {
		n->free++;
		n->free_bytes += usable;
	} else {
		n->single++;
		n->single_bytes += usable;
	}
	if (g->sizeclass < MUSL_CLASSES) {
		n->class[g->sizeclass].groups++;
		n->class[g->sizeclass].slots++;
	}
}

static void count_group(struct musl_totals *n, const struct musl_group *g)
{
	struct musl_class *c = &n->class[g->sizeclass];
	uint32_t free = g->free ? musl_count(g->free) : 0, used = g->slots - free;

	c->groups++;
	c->slots += g->slots;
	c->used += used;
	c->free += free;
	c->pinned += used && used * 4 <= g->slots && !g->donated;
	n->mapped += g->mapped;
	if (g->nested) {
		int in = musl_container(musl_extent(g));
		if (in < 0) n->bad++;
		else n->class[in].containers++;
		n->nested++;
	} else if (g->donated) {
		c->donated += g->slots;
		n->donated++;
		n->mapped += musl_extent(g);
	}
}

/* The sums over classes, and what is left for headers and slack. */
static void finish(struct musl_totals *n)
{
	n->live = n->single;
	n->live_bytes = n->single_bytes;
	for (unsigned i = 0; i < MUSL_CLASSES; i++) {
		struct musl_class *c = &n->class[i];
		uint64_t usable = (uint64_t)musl_units[i] * MUSL_UNIT - MUSL_EDGE;
		/* a nested group whose container is not counted as used: one of the two was read too early */
		if (c->containers > c->used) {
			n->bad += c->containers - c->used;
			c->containers = c->used;
		}
		c->used -= c->containers;
		n->live += c->used;
		n->live_bytes += c->used * usable;
		n->free += c->free;
		n->free_bytes += c->free * usable;
	}
	uint64_t told = n->live_bytes + n->free_bytes;
	n->mapped += n->areas * MUSL_PAGE;
	if (n->mapped < told) {
		n->bad++;
		n->mapped = told + n->areas * MUSL_PAGE;
	}
	n->metadata = n->mapped - told;
}

void musl_totals(struct musl_totals *n, const struct target *t, const struct musl_context *c)
{
	struct musl_walk w;
	const struct musl_area *a;
	struct musl_group g;

	*n = (struct musl_totals){ 0 };
	musl_walk_open(&w, t, c);
	while ((a = musl_walk_area(&w))) {
		n->areas++;
		for (unsigned i = 0; i < MUSL_METAS; i++) {
			if (!a->meta[i].mem || !musl_walk_group(&w, &a->meta[i], &g)) continue;
			n->groups++;
			if (g.single) count_single(n, &g);
			else count_group(n, &g);
		}
	}
	n->bad += w.bad;
	/* the allocator's own count of slots; a class that disagrees was changed while it was read */
	for (unsigned i = 0; i < MUSL_CLASSES; i++)
		n->bad += n->class[i].slots - n->class[i].donated != c->usage[i];
	musl_walk_close(&w);
	finish(n);
}
