/* site.c: sites and their frames out of a segment. See section.h. The agent may keep one stack twice (two threads met it at the
 * same moment); here equal stacks become one. */
#include "inspect/client/section.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/model/snapshot.h"
#include "inspect/target/xalloc.h"

enum { PROBES = 32 };           /* then an equal stack stays twice, which is no harm: a hostile segment may make all of them collide */

static uint64_t hash_of(const struct snap_site *s)
{
	uint64_t h = s->depth + ((uint64_t)s->cut << 32);

	for (unsigned i = 0; i < s->depth; i++) {
		h = (h ^ s->pc[i]) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	return h;
}

static int equal(const struct snap_site *a, const struct snap_site *b)
{
	return a->depth == b->depth && a->cut == b->cut && !memcmp(a->pc, b->pc, a->depth * sizeof *a->pc);
}

/* Totals count only in the epoch they were made in; the stack is good in any. */
static struct snap_site decode(const struct reading *r, const struct wire_site *w, double ticks_per_s)
{
	struct snap_site s = { 0 };

	if (w->epoch != r->epoch) return s;
	s.samples = w->samples;
	s.freed_samples = w->freed_samples;
	s.remote_samples = w->remote_samples;
	s.alloc_bytes = (double)w->alloc_bytes;
	s.alloc_objects = (double)w->alloc_objects_q16 / 65536;
	s.alloc_variance = (double)w->alloc_variance_kib2 * 1024 * 1024;
	s.freed_bytes = (double)w->freed_bytes;
	s.freed_objects = (double)w->freed_objects_q16 / 65536;
	s.remote_bytes = (double)w->remote_bytes;
	s.timed = (double)w->timed_q16 / 65536;
	s.waits = (double)w->waits_q16 / 65536;
	s.wait_s = ticks_per_s > 0 ? (double)w->wait_ticks / ticks_per_s : 0;
	memcpy(s.lifetime, w->lifetime, sizeof s.lifetime);
	return s;
}

/* The place of an equal stack that came before, or `self` after noting it. */
static uint32_t place_of(const struct snap_site *site, uint32_t self, uint32_t *slot, size_t slots)
{
	uint64_t h = hash_of(&site[self]);

	for (unsigned i = 0; i < PROBES; i++) {
		uint32_t *at = &slot[(h + i) & (slots - 1)];
		if (!*at) {
			*at = self;
			return self;
		}
		if (equal(&site[*at], &site[self])) return *at;
	}
	return self;
}

static void place(struct reading *r, const struct wire_site *w, size_t n, size_t nframes, struct snapshot *out, uint32_t *alias)
{
	size_t slots = 64;

	while (slots < 2 * n) slots *= 2;
	uint32_t *slot = xcalloc(slots, sizeof *slot);
	for (uint32_t i = 0; i < n; i++) {
		struct snap_site s = decode(r, &w[i], out->ticks_per_s);
		if (w[i].depth > WIRE_DEPTH_MAX || w[i].frames > nframes || w[i].depth > nframes - w[i].frames || w[i].cut > WIRE_LOSSES) {
			r->bad++;
		} else if (i && w[i].depth) {
			out->site[i].pc = (const uint64_t *)out->storage + w[i].frames;
			out->site[i].depth = w[i].depth;
			out->site[i].cut = w[i].cut;
			alias[i] = place_of(out->site, i, slot, slots);
			if (alias[i] != i) out->site[i] = (struct snap_site){ 0 };
		}
		snapshot_site_add(&out->site[alias[i]], &s);
	}
	free(slot);
}

int site_load(struct reading *r, struct snapshot *out, uint32_t **alias, size_t *n, struct err *e)
{
	void *sites;
	size_t nframes;

	*alias = NULL;
	if (section_load(r, WIRE_SITES, sizeof(struct wire_site), SIZE_MAX, &sites, n, e)) return -1;
	if (section_load(r, WIRE_FRAMES, sizeof(uint64_t), SIZE_MAX, &out->storage, &nframes, e)) {
		free(sites);
		return -1;
	}
	*alias = xcalloc(*n + 1, sizeof **alias);
	out->nsites = *n ? *n : 1;
	out->site = xcalloc(out->nsites, sizeof *out->site);
	place(r, sites, *n, nframes, out, *alias);
	free(sites);
	return 0;
}
