/* musl_count.c: live and free by size class from the metas alone: the heap itself is not read. */
#include "inspect/allocator/musl.h"

/* Groups of one shape, one meta after the other: they are many, so their counters are kept at hand. */
struct run { struct musl_group shape; uint64_t groups, free, pinned; };

static void add_to(struct run *r, const struct musl_group *g)
{
	uint32_t free = g->free ? musl_count(g->free) : 0, used = g->slots - free;

	r->groups++;
	r->free += free;
	r->pinned += used && used * 4 <= g->slots;
}

/* Blocks with a mapping of their own, of any class. */
static void count_singles(struct musl_totals *n, const struct run *r)
{
	uint64_t usable = r->shape.stride - MUSL_EDGE;

	n->free += r->free;
	n->free_bytes += r->free * usable;
	n->single += r->groups - r->free;
	n->single_bytes += (r->groups - r->free) * usable;
}

static void count_slots(struct musl_totals *n, struct musl_class *c, const struct run *r)
{
	const struct musl_group *g = &r->shape;

	c->used += r->groups * g->slots - r->free;
	c->free += r->free;
	c->pinned += g->donated ? 0 : r->pinned;
	if (g->nested) {
		int in = musl_container(g->extent);
		if (in < 0) n->bad += r->groups;
		else n->class[in].containers += r->groups;
		n->nested += r->groups;
	} else if (g->donated) {
		c->donated += r->groups * g->slots;
		n->donated += r->groups;
	}
}

static void finish_run(struct musl_totals *n, const struct run *r)
{
	const struct musl_group *g = &r->shape;

	if (!r->groups) return;
	n->groups += r->groups;
	/* what a nested group occupies is a slot of another's */
	if (!g->nested) n->mapped += r->groups * g->span;
	if (g->sizeclass < MUSL_CLASSES) {
		n->class[g->sizeclass].groups += r->groups;
		n->class[g->sizeclass].slots += r->groups * g->slots;
	}
	if (g->single) count_singles(n, r);
	else count_slots(n, &n->class[g->sizeclass], r);
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
	struct musl_group g = { 0 };
	struct run run = { 0 };

	*n = (struct musl_totals){ 0 };
	musl_walk_open(&w, t, c);
	while ((a = musl_walk_area(&w))) {
		n->areas++;
		for (unsigned i = 0; i < MUSL_METAS; i++) {
			if (!musl_walk_group(&w, &a->meta[i], &g)) continue;
			if (g.bits != run.shape.bits) {
				finish_run(n, &run);
				run = (struct run){ .shape = g };
			}
			add_to(&run, &g);
		}
	}
	finish_run(n, &run);
	n->bad += w.bad;
	/* the allocator's own count of slots; a class that disagrees was changed while it was read */
	for (unsigned i = 0; i < MUSL_CLASSES; i++)
		n->bad += n->class[i].slots - n->class[i].donated != c->usage[i];
	musl_walk_close(&w);
	finish(n);
}
