/* segment.c: from the bytes of a segment to a snapshot. See segment.h. Everything in a segment is the target's word: each size,
 * index and time is bounded before it is used, and what makes no sense is counted and left out. */
#include "inspect/client/segment.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/client/section.h"
#include "inspect/model/plain.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { EPOCH_TRIES = 3 };
static const uint64_t SIZE_SANE = 1ull << 57, WEIGHT_SANE = 1ull << 62;
static const double TICKS_MIN = 1e6, TICKS_MAX = 1e11, BASE_MIN_S = 0.001;

int segment_header(const struct segment *g, struct wire_header *h, struct err *e)
{
	if (g->size < sizeof *h)
		return err_set(e, ERR_FAIL, "%s: not a segment of alloctop's agent: %llu bytes are too few", g->name, (unsigned long long)g->size);
	if (mem_read(g->mem, g->base, h, sizeof *h, e)) return -1;
	if (memcmp(h->magic, WIRE_MAGIC, sizeof h->magic))
		return err_set(e, ERR_FAIL, "%s: not a segment of alloctop's agent: it does not begin with \"" WIRE_MAGIC "\"", g->name);
	if (h->version != WIRE_VERSION)
		return err_set(e, ERR_UNSUPPORTED, "%s: the agent's segment has version %u, this alloctop reads version %d: "
		               "use the alloctop that came with the agent", g->name, h->version, WIRE_VERSION);
	if (h->header_size != sizeof *h || h->size < sizeof *h)
		return err_set(e, ERR_FAIL, "%s: the agent's segment is damaged: its header has %u bytes instead of %zu",
		               g->name, h->header_size, sizeof *h);
	h->notices[WIRE_NOTICES - 1] = 0;
	return 0;
}

static double rate_between(const struct wire_clock *a, uint64_t ticks, uint64_t ns)
{
	if (ticks <= a->ticks || ns <= a->monotonic_ns) return 0;
	double s = (double)(ns - a->monotonic_ns) * 1e-9, rate = (double)(ticks - a->ticks) / s;
	return s >= BASE_MIN_S && rate >= TICKS_MIN && rate <= TICKS_MAX ? rate : 0;
}

/* The segment's two moments, or the one from its start to now, which is longer; but only as far as they agree. */
static double ticks_per_s(const struct wire_header *h, const struct segment_now *now)
{
	double recorded = rate_between(&h->start, h->last.ticks, h->last.monotonic_ns);
	double ours = now && now->ticks && now->monotonic_ns ? rate_between(&h->start, now->ticks, now->monotonic_ns) : 0;

	if (!(ours > 0)) return recorded;
	return recorded > 0 && (recorded / ours > 1.01 || ours / recorded > 1.01) ? recorded : ours;
}

/* Seconds from one moment to another; 0 when that is backwards or the clock is unknown. */
static double seconds(double per_s, uint64_t from, uint64_t to)
{
	return per_s > 0 && to > from ? (double)(to - from) / per_s : 0;
}

static void decode_head(struct snapshot *out, const struct wire_header *h, const struct segment_now *now)
{
	uint64_t ran = h->last.monotonic_ns > h->start.monotonic_ns ? h->last.monotonic_ns - h->start.monotonic_ns : 0;

	out->inner_pid = (pid_t)(h->pid & INT32_MAX);
	out->forked_from = (pid_t)(h->parent & INT32_MAX);
	out->flags = h->flags;
	out->epoch = h->control.epoch;
	out->rate = h->control.rate ? h->control.rate : 1;
	out->running = h->control.running != 0;
	out->timing_on = h->control.timing != 0;
	out->ticks_per_s = ticks_per_s(h, now);
	out->realtime_ns = now ? now->realtime_ns : h->realtime_ns + ran;
	out->age_s = seconds(out->ticks_per_s, h->start.ticks, now && now->ticks ? now->ticks : h->last.ticks);
	memcpy(out->loss, h->loss, sizeof out->loss);
	memcpy(out->notices, h->notices, sizeof out->notices);
	/* line by line: the ends of lines stay */
	for (char *line = out->notices, *end; *line; line = end + (*end != 0)) {
		char was = *(end = line + strcspn(line, "\n"));
		*end = 0;
		plain_text(line);
		*end = was;
	}
}

static int decode_threads(struct reading *r, struct snapshot *out, uint32_t **serial, struct err *e)
{
	void *entries;
	size_t n;

	if (section_load(r, WIRE_THREADS, sizeof(struct wire_thread), SIZE_MAX, &entries, &n, e)) return -1;
	const struct wire_thread *w = entries;
	out->nthreads = n ? n : 1;
	out->thread = xcalloc(out->nthreads, sizeof *out->thread);
	*serial = xcalloc(out->nthreads, sizeof **serial);
	for (size_t i = 0; i < n; i++) {
		struct snap_thread *t = &out->thread[i];
		(*serial)[i] = w[i].serial;
		if ((i && !w[i].tid) || w[i].epoch != r->epoch) continue;
		t->tid = i ? w[i].tid : 0;
		t->start_s = seconds(out->ticks_per_s, r->head.start.ticks, w[i].start);
		t->allocs = w[i].allocs;
		t->alloc_bytes = w[i].alloc_bytes;
		t->frees = w[i].frees;
		t->samples = w[i].samples;
		memcpy(t->name, w[i].name, sizeof w[i].name);
		plain_text(t->name);
	}
	free(entries);
	return 0;
}

static int decode_classes(struct reading *r, struct snapshot *out, struct err *e)
{
	void *entries;
	size_t n;

	if (section_load(r, WIRE_CLASS, sizeof(struct wire_class), WIRE_CLASSES, &entries, &n, e)) return -1;
	const struct wire_class *w = entries;
	for (size_t i = 0; i < n; i++) {
		if (w[i].epoch != r->epoch) continue;
		out->class[i].alloc_bytes = (double)w[i].alloc_bytes;
		out->class[i].alloc_objects = (double)w[i].alloc_objects_q16 / 65536;
		out->class[i].freed_bytes = (double)w[i].freed_bytes;
		out->class[i].freed_objects = (double)w[i].freed_objects_q16 / 65536;
	}
	free(entries);
	return 0;
}

/* A thread's exact counts belong to the epoch of its totals. */
static int decode_exact(struct reading *r, struct snapshot *out, struct err *e)
{
	void *entries, *threads;
	size_t n, nthreads;

	if (!(r->head.flags & WIRE_EXACT_ON)) return 0;
	if (section_load(r, WIRE_THREADS, sizeof(struct wire_thread), SIZE_MAX, &threads, &nthreads, e)) return -1;
	if (section_load(r, WIRE_EXACT, sizeof(struct wire_exact), nthreads * WIRE_CLASSES, &entries, &n, e)) {
		free(threads);
		return -1;
	}
	const struct wire_exact *w = entries;
	const struct wire_thread *t = threads;
	for (size_t i = 0; i < n; i++) {
		struct snap_class *c = &out->exact[i % WIRE_CLASSES];
		if (t[i / WIRE_CLASSES].epoch != r->epoch) continue;
		c->alloc_bytes += (double)w[i].usable;
		c->alloc_objects += (double)w[i].allocs;
		c->freed_bytes += (double)w[i].freed_usable;
		c->freed_objects += (double)w[i].frees;
	}
	/* one thread frees what another allocated: only the sums can be subtracted; and they move while they are read */
	for (struct snap_class *c = out->exact; c < out->exact + WIRE_CLASSES; c++) {
		c->live_bytes = c->alloc_bytes > c->freed_bytes ? c->alloc_bytes - c->freed_bytes : 0;
		c->live_objects = c->alloc_objects > c->freed_objects ? c->alloc_objects - c->freed_objects : 0;
	}
	free(threads);
	free(entries);
	return 0;
}

static int overlaps_any(const struct snapshot *out, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < out->nmodules; i++)
		if (start < out->module[i].end && out->module[i].start < end) return 1;
	return 0;
}

/* What is loaded comes first; what was unloaded stays known only where nothing was loaded in its place since. */
static int decode_modules(struct reading *r, struct snapshot *out, struct err *e)
{
	void *entries;
	size_t n;

	if (section_load(r, WIRE_MODULES, sizeof(struct wire_module), SIZE_MAX, &entries, &n, e)) return -1;
	struct wire_module *w = entries;
	out->module = xcalloc(n + 1, sizeof *out->module);
	for (int unloaded = 0; unloaded < 2; unloaded++)
		for (size_t i = n; i-- > 0;) {
			if (!w[i].start || (w[i].unloaded != 0) != unloaded) continue;
			if (w[i].end <= w[i].start || w[i].build_id_size > sizeof w[i].build_id || !memchr(w[i].path, 0, sizeof w[i].path)) {
				r->bad++;
				continue;
			}
			if (overlaps_any(out, w[i].start, w[i].end)) continue;
			struct symbol_module *m = &out->module[out->nmodules++];
			*m = (struct symbol_module){
				.start = w[i].start, .end = w[i].end, .bias = w[i].bias, .build_id_size = w[i].build_id_size,
				.is_main = w[i].flags & WIRE_MODULE_MAIN,
			};
			if (w[i].text < w[i].text_end && w[i].text_end > w[i].start && w[i].text < w[i].end) {
				m->text = w[i].text;
				m->text_end = w[i].text_end;
				m->text_offset = w[i].text_offset;
			}
			memcpy(m->build_id, w[i].build_id, w[i].build_id_size);
			m->path = xstrdup(strncmp(w[i].path, "linux-vdso", 10) ? w[i].path : "[vdso]");
		}
	free(entries);
	return 0;
}

static int is_sane(const struct wire_live *w, size_t nsites)
{
	return w->site < nsites && w->size <= SIZE_SANE && w->weight >= w->size && w->weight <= WEIGHT_SANE;
}

static void add_live(struct snapshot *out, const struct snap_live *l)
{
	struct snap_site *site = &out->site[l->site];
	struct snap_class *class = &out->class[wire_class_of(l->size)];
	double objects = l->size ? l->weight / (double)l->size : 1;

	site->live_samples++;
	site->live_bytes += l->weight;
	site->live_objects += objects;
	site->live_variance += l->variance;
	class->live_bytes += l->weight;
	class->live_objects += objects;
	out->live_bytes += l->weight;
	out->live_objects += objects;
	out->live_variance += l->variance;
}

static void decode_live(struct reading *r, struct snapshot *out, const struct wire_live *w, size_t n, const uint32_t *alias, size_t nsites,
                        const uint32_t *serial, uint64_t now)
{
	out->live = xcalloc(n + 1, sizeof *out->live);
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = wire_thread_slot(w[i].thread);
		if (!is_sane(&w[i], nsites)) {
			r->bad++;
			continue;
		}
		double weight = (double)w[i].weight, p = weight > 0 ? (double)w[i].size / weight : 1;
		struct snap_live *l = &out->live[out->nlive++];
		*l = (struct snap_live){
			.addr = w[i].addr, .size = w[i].size, .weight = weight, .variance = weight * weight * (1 - p),
			.age_s = seconds(out->ticks_per_s, w[i].birth > r->head.start.ticks ? w[i].birth : r->head.start.ticks, now),
			.site = alias[w[i].site],
			/* another user of the slot by now: the thread has ended */
			.thread = slot < out->nthreads && wire_thread_id(slot, serial[slot]) == w[i].thread ? slot : 0,
		};
		add_live(out, l);
	}
}

/* One pass. 1: the epoch changed meanwhile. */
static int decode(struct reading *r, const struct segment_now *now, struct snapshot *out, struct err *e)
{
	struct wire_live *live = NULL;
	uint32_t *alias = NULL, *serial = NULL;
	struct wire_control control;
	size_t nlive, nsites;
	int bad = -1;

	decode_head(out, &r->head, now);
	if (live_load(r, &live, &nlive, e) || site_load(r, out, &alias, &nsites, e) || decode_threads(r, out, &serial, e) ||
	    decode_classes(r, out, e) || decode_exact(r, out, e) || timing_decode(r, out, e) || decode_modules(r, out, e) ||
	    mem_read(r->seg->mem, r->seg->base + offsetof(struct wire_header, control), &control, sizeof control, e))
		goto out;
	decode_live(r, out, live, nlive, alias, nsites, serial, now && now->ticks ? now->ticks : r->head.last.ticks);
	for (size_t i = 0; i < out->nsites; i++) {
		out->alloc_bytes += out->site[i].alloc_bytes;
		out->alloc_objects += out->site[i].alloc_objects;
	}
	out->bad = r->bad;
	out->torn = r->torn;
	bad = control.epoch != r->epoch;
out:
	free(live);
	free(alias);
	free(serial);
	return bad;
}

int segment_decode(const struct segment *g, const struct segment_now *now, struct snapshot *out, struct err *e)
{
	for (int try = 0; try < EPOCH_TRIES; try++) {
		struct reading r = { .seg = g };
		*out = (struct snapshot){ 0 };
		if (segment_header(g, &r.head, e)) return -1;
		r.epoch = r.head.control.epoch;
		r.limit = r.head.size < g->size ? r.head.size : g->size;
		int bad = decode(&r, now, out, e);
		if (!bad) return 0;
		snapshot_free(out);
		if (bad < 0) return -1;
	}
	return err_set(e, ERR_FAIL, "%s: reading the agent's segment: it was reset each time while it was read: try again", g->name);
}
