/* jemalloc.c: the reader of jemalloc 5: puts together what jemalloc_find, _bins, _extents, _ecache, _tcache, _base and _decay learn. What is handed out comes
 * from the bins' counters and the tree of extents, and both must agree. Requested sizes stand nowhere. */
#include "inspect/allocator/jemalloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/allocator/window.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { ECACHE_TRIES = 4 };

void jemalloc_bad(struct jemalloc *j, const char *fmt, ...)
{
	va_list ap;

	if (j->bad++) return;
	va_start(ap, fmt);
	vsnprintf(j->why, sizeof j->why, fmt, ap);
	va_end(ap);
}

static int open_arenas(struct jemalloc *j, struct err *e)
{
	uint64_t *array = xcalloc(JEMALLOC_ARENAS, sizeof *array);
	size_t got = mem_read_some(j->t->mem, j->found->state, array, JEMALLOC_ARENAS * sizeof *array) / sizeof *array, end = 0, n = 0;

	for (size_t i = 0; i < got; i++)
		if (array[i] && array[i] % 64 == 0 && target_is_anonymous(j->t, array[i])) end = i + 1, n++;
	j->arena = xcalloc(n + 1, sizeof *j->arena);
	for (size_t i = 0; i < end; i++) {
		struct jemalloc_arena *a = &j->arena[j->narenas];
		size_t bad, known = 0;
		if (!array[i] || array[i] % 64 || !target_is_anonymous(j->t, array[i])) continue;
		while (known < j->narenas && j->arena[known].addr != array[i]) known++;
		if (known < j->narenas) continue;       /* what stands behind the array may point to arenas too */
		bad = jemalloc_bins(j->w, j->layout, j->info, array[i] + j->found->extra[JEMALLOC_EXTRA_BINS], a->bin, NULL, NULL);
		if (bad > JEMALLOC_BINS / 2) continue;
		if (bad) jemalloc_bad(j, "%zu bins of arena %zu do not add up", bad, i);
		j->bad += bad ? bad - 1 : 0;
		a->addr = array[i];
		a->index = (unsigned)i;
		a->threads = (unsigned)(uint32_t)window_u64(j->w, array[i]);
		j->narenas++;
	}
	free(array);
	return j->narenas ? 0 : err_set(e, ERR_GONE, "pid %d: jemalloc's arenas are gone from 0x%" PRIx64 ": another program runs in this process now", (int)j->t->pid, j->found->state);
}

static void small_classes(struct jemalloc *j)
{
	struct heap_allocator *a = j->a;

	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		const struct jemalloc_bin_info *info = &j->info[i];
		uint64_t regs = 0, slabs = 0, made = 0, cached = j->count[i].cached, own = j->count[i].own;
		for (size_t k = 0; k < j->narenas; k++) {
			struct jemalloc_arena *arena = &j->arena[k];
			regs += arena->bin[i].curregs;
			slabs += arena->bin[i].curslabs;
			made += arena->bin[i].nslabs;
			arena->small += arena->bin[i].curregs * info->size;
			arena->slabs += arena->bin[i].curslabs * info->slab_size;
		}
		if (!made) continue;
		if (j->found->extra[JEMALLOC_EXTRA_ROOT] && slabs != j->count[i].extents)
			jemalloc_bad(j, "bins have %" PRIu64 " slabs of class %" PRIu64 ", the tree has %" PRIu64, slabs, info->size, j->count[i].extents);
		if (regs > slabs * info->nregs || cached + own > regs) jemalloc_bad(j, "class %" PRIu64 " has more objects than room for them", info->size);
		if (own > regs) own = regs;
		if (cached > regs - own) cached = regs - own;
		struct heap_class *c = heap_class_of(a, info->size);
		*c = (struct heap_class){ .size = info->size, .live = regs - cached - own, .cached = cached, .requested = HEAP_UNKNOWN, .slabs = slabs, .churn = made };
		c->free = slabs * info->nregs > regs ? slabs * info->nregs - regs : 0;
		c->pinned = j->flags & ALLOCATOR_FULL ? j->count[i].pinned : HEAP_UNKNOWN;
		a->live_objects += c->live;
		a->live_bytes += c->live * c->size;
		a->cached_objects += cached;
		a->cached_bytes += cached * c->size;
		a->free_objects += c->free;
		a->free_bytes += slabs * info->slab_size > regs * info->size ? slabs * info->slab_size - regs * info->size : 0;
		a->mapped += slabs * info->slab_size;
		a->metadata_bytes += own * info->size;
	}
}

static void large_classes(struct jemalloc *j)
{
	struct heap_allocator *a = j->a;

	for (unsigned i = JEMALLOC_BINS; i < JEMALLOC_SIZES; i++) {
		uint64_t size = jemalloc_size(i), cached = j->count[i].cached, own = j->count[i].own, n = j->count[i].live;
		if (!n) continue;
		if (cached + own > n) jemalloc_bad(j, "tcaches have more blocks of %" PRIu64 " bytes than there are", size);
		if (own > n) own = n;
		if (cached > n - own) cached = n - own;
		a->metadata_bytes += own * size;
		if (!(n -= own)) continue;
		struct heap_class *c = heap_class_of(a, size);
		*c = (struct heap_class){ .size = size, .live = n - cached, .cached = cached, .requested = HEAP_UNKNOWN, .slabs = n, .pinned = HEAP_UNKNOWN, .churn = HEAP_UNKNOWN };
		a->live_objects += c->live;
		a->live_bytes += c->live * size;
		a->large_objects += c->live;
		a->large_bytes += c->live * size;
		a->cached_objects += cached;
		a->cached_bytes += cached * size;
	}
	a->mapped += j->live_pages;
	for (unsigned s = 0; s < JEMALLOC_STATES; s++) {
		a->free_bytes += j->state_bytes[s];
		a->mapped += j->state_bytes[s];
	}
}

static void arenas(struct jemalloc *j)
{
	for (size_t i = 0; i < j->narenas; i++) {
		const struct jemalloc_arena *from = &j->arena[i];
		struct heap_arena *to = heap_add_arena(j->a);
		uint64_t used = from->small + from->large, not_live = from->cached + from->own;
		snprintf(to->name, sizeof to->name, "arena %u", from->index);
		to->addr = from->addr;
		to->threads = from->threads;
		to->cached = j->tcaches_known ? from->cached : HEAP_UNKNOWN;
		to->mapped = j->by_arena ? from->slabs + from->large + from->held : HEAP_UNKNOWN;
		to->live = j->by_arena ? used - (not_live < used ? not_live : used) : HEAP_UNKNOWN;
		to->free = j->by_arena ? from->slabs - (from->small < from->slabs ? from->small : from->slabs) + from->held : HEAP_UNKNOWN;
	}
}

static void facts(struct jemalloc *j)
{
	struct jemalloc_mutex m = { 0 };
	struct heap_allocator *a = j->a;

	for (size_t i = 0; i < j->narenas; i++)
		for (unsigned k = 0; k < JEMALLOC_BINS; k++) {
			const struct jemalloc_mutex *b = &j->arena[i].bin[k].mutex;
			m.ops += b->ops;
			m.waits += b->waits;
			m.spins += b->spins;
			m.switches += b->switches;
			m.wait_ns += b->wait_ns;
			if (b->max_wait_ns > m.max_wait_ns) m.max_wait_ns = b->max_wait_ns;
		}
	heap_add_fact(a, "bin_lock_ops", (double)m.ops, "acquisitions");
	heap_add_fact(a, "bin_lock_waits", (double)m.waits, "acquisitions");
	heap_add_fact(a, "bin_lock_spins", (double)m.spins, "acquisitions");
	heap_add_fact(a, "bin_lock_owner_switches", (double)m.switches, "acquisitions");
	heap_add_fact(a, "bin_lock_wait", (double)m.wait_ns / 1e9, "seconds");
	heap_add_fact(a, "bin_lock_wait_max", (double)m.max_wait_ns / 1e9, "seconds");
	if (j->found->extra[JEMALLOC_EXTRA_ROOT]) {
		int apart = !j->state_bytes[JEMALLOC_OTHER];
		if (apart) heap_add_fact(a, "dirty", (double)j->state_bytes[JEMALLOC_DIRTY], "bytes");
		if (apart) heap_add_fact(a, "muzzy", (double)j->state_bytes[JEMALLOC_MUZZY], "bytes");
		if (apart) heap_add_fact(a, "retained", (double)j->state_bytes[JEMALLOC_RETAINED], "bytes");
		heap_add_fact(a, "extents", (double)j->extents, "extents");
	}
	jemalloc_decays(j);
	heap_add_fact(a, "metadata_mapped", (double)j->metadata_mapped, "bytes");
	if (j->tcaches_known) heap_add_fact(a, "tcaches", (double)j->tcaches, "tcaches");
}

struct lock_add { struct heap_allocator *a; unsigned arena; const struct jemalloc_bin_info *info; };

static void add_lock(void *arg, unsigned szind, unsigned shard, uint64_t mutex, const struct jemalloc_mutex *m)
{
	struct lock_add *l = arg;
	char name[56];

	if (!m->ops) return;
	if (l->info[szind].n_shards > 1) snprintf(name, sizeof name, "arena %u bin %" PRIu64 " B shard %u", l->arena, l->info[szind].size, shard);
	else snprintf(name, sizeof name, "arena %u bin %" PRIu64 " B", l->arena, l->info[szind].size);
	heap_add_lock(l->a, HEAP_LOCK_MUTEX, mutex, name);
}

static void add_extents_lock(void *arg, const struct jemalloc_arena *a, const char *what, uint64_t mutex)
{
	char name[56];

	snprintf(name, sizeof name, "arena %u %s", a->index, what);
	heap_add_lock(arg, HEAP_LOCK_MUTEX, mutex, name);
}

static void add_locks(struct jemalloc *j)
{
	struct jemalloc_bin unused[JEMALLOC_BINS];
	struct jemalloc_ecaches at = { 0 };

	for (size_t i = 0; i < j->narenas; i++) {
		struct lock_add l = { j->a, j->arena[i].index, j->info };
		if (at.size || (i < ECACHE_TRIES && !jemalloc_ecaches(j, &j->arena[i], &at))) jemalloc_ecache_locks(j, &j->arena[i], &at, add_extents_lock, j->a);
		jemalloc_bins(j->w, j->layout, j->info, j->arena[i].addr + j->found->extra[JEMALLOC_EXTRA_BINS], unused, add_lock, &l);
	}
}

static int begin(struct jemalloc *j, const struct target *t, const struct allocator_found *f, struct heap_allocator *a, struct err *e)
{
	*j = (struct jemalloc){ .t = t, .found = f, .a = a };
	if (f->layout >= JEMALLOC_LAYOUTS) return err_set(e, ERR_FAIL, "pid %d: reading jemalloc: its layout is not known", (int)t->pid);
	j->layout = &jemalloc_layouts[f->layout];
	j->w = window_open(t);
	if (!jemalloc_infos(j->w, f->extra[JEMALLOC_EXTRA_INFOS], j->info)) return open_arenas(j, e);
	return err_set(e, ERR_GONE, "pid %d: jemalloc's table of classes is gone from 0x%" PRIx64 ": another program runs in this process now", (int)t->pid, f->extra[JEMALLOC_EXTRA_INFOS]);
}

static void end(struct jemalloc *j)
{
	window_close(j->w);
	free(j->arena);
}

static int read_heap(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a, struct allocator_sink *sink, struct err *e)
{
	struct jemalloc j;
	int has_tree = f->extra[JEMALLOC_EXTRA_ROOT] != 0;

	if (begin(&j, t, f, a, e)) {
		end(&j);
		return -1;
	}
	j.flags = flags;
	j.sink = sink;
	jemalloc_tcaches(&j);
	if (has_tree) jemalloc_extents(&j);
	jemalloc_base(&j);
	a->state = f->state;
	a->metadata_bytes = j.metadata;
	small_classes(&j);
	if (has_tree) large_classes(&j);
	else a->mapped = a->large_objects = a->large_bytes = HEAP_UNKNOWN;
	if (!j.tcaches_known) a->cached_objects = a->cached_bytes = HEAP_UNKNOWN;
	a->requested_bytes = HEAP_UNKNOWN;
	if (a->mapped != HEAP_UNKNOWN) a->mapped += j.metadata_mapped;
	a->in_use = a->live_objects > 0;
	arenas(&j);
	facts(&j);
	add_locks(&j);
	a->bad = j.bad;
	a->status = j.bad ? HEAP_TORN : HEAP_COMPLETE;
	if (j.bad) snprintf(a->status_text, sizeof a->status_text, "%" PRIu64 " things did not fit together; the first: %s", j.bad, j.why);
	else if (!has_tree) snprintf(a->status_text, sizeof a->status_text, "small classes only: the tree of extents was not found");
	end(&j);
	return 0;
}

static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	struct jemalloc j;
	struct err ignored;

	if (!begin(&j, t, f, a, &ignored)) add_locks(&j);
	end(&j);
}

const struct allocator allocator_jemalloc = {
	.name = "jemalloc",
	.probe = jemalloc_find,
	.read = read_heap,
	.locks = locks,
};
