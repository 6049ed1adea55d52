/* musl.c: the reader of musl's mallocng, the allocator of musl 1.2.1 and later: puts together what musl_find, musl_count, musl_requested,
 * musl_ranges and musl_lock learn. Live and free come from the metadata alone, in milliseconds per GB; requested sizes cost a look at every
 * block. */
#include "inspect/allocator/musl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"

static size_t probe(const struct target *t, struct allocator_found *out, size_t max)
{
	struct target_region where;
	const char *how, *base;
	uint64_t state = max ? musl_find(t, &how, &where) : 0;

	if (!state) return 0;
	*out = (struct allocator_found){ .kind = &allocator_musl, .state = state, .extra[0] = (uint64_t)where.main_program };
	snprintf(out->evidence, sizeof out->evidence, "%s", how);
	base = strrchr(where.path, '/');
	snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : where.path);
	musl_version(t, &where, out->version, sizeof out->version);
	if (!*out->version) snprintf(out->version, sizeof out->version, "1.2.1 or later");
	return 1;
}

/* Classes that were ever used; blocks with a mapping of their own are in none. */
static void fill_classes(struct heap_allocator *a, const struct musl_context *c, const struct musl_totals *n, const struct musl_requested *r)
{
	for (unsigned i = 0; i < MUSL_CLASSES; i++) {
		const struct musl_class *k = &n->class[i];
		unsigned bounce = i - MUSL_BOUNCE_FIRST;
		uint64_t churn = bounce < MUSL_BOUNCES ? c->bounces[bounce] : 0;
		if (!k->groups && !churn) continue;
		struct heap_class *h = heap_class_of(a, (uint64_t)musl_units[i] * MUSL_UNIT - MUSL_EDGE);
		h->live = k->used;
		h->free = k->free;
		h->requested = r ? r->class[i].bytes : HEAP_UNKNOWN;
		h->slabs = k->groups;
		h->pinned = k->pinned;
		h->churn = churn;
	}
}

static void fill_facts(struct heap_allocator *a, const struct musl_context *c, const struct musl_totals *n)
{
	uint64_t pinned = 0, bouncing = 0;

	for (unsigned i = 0; i < MUSL_CLASSES; i++) pinned += n->class[i].pinned;
	for (unsigned i = 0; i < MUSL_BOUNCES; i++) bouncing += c->bounces[i] >= MUSL_BOUNCING;
	heap_add_fact(a, "mmap_counter", c->mmap_counter, "mappings made");
	heap_add_fact(a, "bouncing_classes", (double)bouncing, "classes");
	heap_add_fact(a, "groups", (double)n->groups, "groups");
	heap_add_fact(a, "groups_nested", (double)n->nested, "groups");
	heap_add_fact(a, "groups_donated", (double)n->donated, "groups");
	heap_add_fact(a, "groups_pinned", (double)pinned, "groups");
	heap_add_fact(a, "metadata_areas", (double)n->areas, "pages");
}

static void fill_status(struct heap_allocator *a, uint64_t bad, const struct musl_totals *n)
{
	a->bad = bad;
	a->status = bad ? HEAP_TORN : HEAP_COMPLETE;
	if (bad)
		snprintf(a->status_text, sizeof a->status_text, "%" PRIu64 " of %" PRIu64 " groups, classes or blocks did not fit together: "
		         "the heap changed while it was read, or is corrupt", bad, n->groups + MUSL_CLASSES + n->live);
}

static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	uint64_t lock = musl_lock(t, f->state);

	if (lock) heap_add_lock(a, HEAP_LOCK_MUSL, lock, "malloc lock");
}

static int read_context(const struct target *t, const struct allocator_found *f, struct musl_context *c, struct err *e)
{
	if (mem_read(t->mem, f->state, c, sizeof *c, e)) return -1;
	if (!c->secret || c->init_done != 1)
		return err_set(e, ERR_GONE, "pid %d: musl's heap is gone from 0x%" PRIx64 ": another program runs in this process now", (int)t->pid, f->state);
	return 0;
}

static int read_heap(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a,
                     struct allocator_sink *sink, struct err *e)
{
	struct musl_context c;
	struct musl_totals n;
	struct musl_requested r;
	uint64_t bad;

	if (read_context(t, f, &c, e)) return -1;
	musl_totals(&n, t, &c);
	bad = n.bad;
	if (flags & ALLOCATOR_REQUESTED) {
		musl_requested(&r, t, &c, &n);
		bad += r.bad;
	}
	if (sink) bad += musl_ranges(t, &c, &n, sink);

	a->state = f->state;
	a->in_use = n.live > 0;
	a->mapped = n.mapped;
	a->live_objects = n.live;
	a->live_bytes = n.live_bytes;
	a->requested_bytes = flags & ALLOCATOR_REQUESTED ? r.all.bytes : HEAP_UNKNOWN;
	a->free_objects = n.free;
	a->free_bytes = n.free_bytes;
	a->metadata_bytes = n.metadata;
	a->large_objects = n.single;
	a->large_bytes = n.single_bytes;
	fill_classes(a, &c, &n, flags & ALLOCATOR_REQUESTED ? &r : NULL);
	fill_facts(a, &c, &n);
	fill_status(a, bad, &n);

	struct heap_arena *arena = heap_add_arena(a);
	*arena = (struct heap_arena){ .name = "the heap", .addr = f->state, .threads = t->nthreads };
	arena->mapped = n.mapped;
	arena->live = n.live_bytes;
	arena->free = n.free_bytes;
	locks(t, f, a);
	return 0;
}

const struct allocator allocator_musl = {
	.name = "musl mallocng",
	.probe = probe,
	.read = read_heap,
	.locks = locks,
};
