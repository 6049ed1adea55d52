/* site.c: see site.h. A new site is written first and published in the index last; two threads that meet a new stack at the same
 * moment make two sites, which the reader adds up by their stacks. */
#include "site.h"
#include "sample.h"
#include "segment.h"
#include "sys.h"

static uint64_t hash_of(const uint64_t *pc, unsigned depth, unsigned cut)
{
	uint64_t h = 0x9E3779B97F4A7C15ULL ^ cut;
	for (unsigned i = 0; i < depth; i++) {
		h = (h ^ pc[i]) * 0xD6E8FEB86659FD93ULL;
		h ^= h >> 32;
	}
	return h;
}

static int same(const struct wire_site *s, const uint64_t *pc, unsigned depth, uint64_t hash, unsigned cut)
{
	return s->hash == hash && s->depth == depth && s->cut == cut && s->frames <= segment.frames_max - depth
		&& !memcmp(segment.frames + s->frames, pc, depth * 8);
}

/* Claims n of a pool that only grows. Returns the first, or UINT32_MAX. */
static uint32_t claim(uint32_t *used, uint32_t n, uint32_t max)
{
	uint32_t at = LOAD(*used);
	while (n <= max - at)
		if (CAS(*used, &at, at + n)) return at;
	return UINT32_MAX;
}

static uint32_t make(const uint64_t *pc, unsigned depth, uint64_t hash, unsigned cut)
{
	uint32_t frames = claim(&segment.frames_used, depth, segment.frames_max);
	uint32_t id = frames == UINT32_MAX ? frames : claim(&segment.sites_used, 1, segment.sites_max);
	if (id == UINT32_MAX) return 0;
	struct wire_site *s = &segment.sites[id];
	memcpy(segment.frames + frames, pc, depth * 8);
	s->hash = hash;
	s->frames = frames;
	s->cut = (uint16_t)cut;
	s->epoch = LOAD(segment.head->control.epoch);
	RELEASE(s->depth, (uint16_t)depth);
	segment_publish(WIRE_FRAMES, frames + depth);
	segment_publish(WIRE_SITES, id + 1);
	return index_insert(&segment.site_index, hash >> 20, id) ? 0 : id;
}

uint32_t site_of(const uint64_t *pc, unsigned depth, unsigned cut)
{
	uint64_t hash = hash_of(pc, depth, cut);
	uint32_t id;
	for (unsigned n = 0; n < 8 && !index_find(&segment.site_index, hash >> 20, n, &id); n++)
		if (id < segment.sites_max && same(&segment.sites[id], pc, depth, hash, cut)) return id;
	id = depth ? make(pc, depth, hash, cut) : 0;
	if (!id) segment_lost(WIRE_LOST_SITE_FULL);
	return id;
}

/* The first to touch a record in a new epoch clears its totals. Samples that race with a reset may be lost with it. */
static void enter(uint32_t *epoch, uint32_t now, void *totals, size_t n)
{
	uint32_t was = LOAD(*epoch);
	if (was != now && CAS(*epoch, &was, now)) memset(totals, 0, n);
}

static struct wire_site *site_now(uint32_t site, uint32_t epoch)
{
	struct wire_site *s = &segment.sites[site < segment.sites_max ? site : 0];
	enter(&s->epoch, epoch, &s->samples, sizeof *s - offsetof(struct wire_site, samples));
	return s;
}

static struct wire_class *class_now(uint64_t size, uint32_t epoch)
{
	struct wire_class *c = &segment.classes[wire_class_of(size)];
	enter(&c->epoch, epoch, &c->alloc_bytes, sizeof *c - offsetof(struct wire_class, alloc_bytes));
	return c;
}

void site_allocated(uint32_t site, uint64_t size, const struct site_weight *w)
{
	uint32_t epoch = LOAD(segment.head->control.epoch);
	struct wire_site *s = site_now(site, epoch);
	struct wire_class *c = class_now(size, epoch);
	ADD(s->samples, 1);
	ADD(s->alloc_bytes, w->bytes);
	ADD(s->alloc_objects_q16, w->objects_q16);
	ADD(s->alloc_variance_kib2, w->variance_kib2);
	ADD(c->alloc_bytes, w->bytes);
	ADD(c->alloc_objects_q16, w->objects_q16);
}

void site_timed(uint32_t site, uint64_t objects_q16, uint64_t lost_ticks)
{
	struct wire_site *s = site_now(site, LOAD(segment.head->control.epoch));
	ADD(s->timed_q16, objects_q16);
	if (!lost_ticks) return;
	ADD(s->waits_q16, objects_q16);
	ADD(s->wait_ticks, lost_ticks);
}

/* log4 of a lifetime, see wire.h. */
static unsigned lifetime_bucket(uint64_t ticks)
{
	if (ticks >> WIRE_LIFETIME_SHIFT == 0) return 0;
	unsigned b = ((unsigned)(63 - __builtin_clzll(ticks)) - WIRE_LIFETIME_SHIFT) / 2;
	return b < WIRE_LIFETIMES ? b : WIRE_LIFETIMES - 1;
}

void site_freed(const struct wire_live *b, uint32_t thread, uint64_t now)
{
	uint32_t epoch = LOAD(segment.head->control.epoch);
	if (b->epoch != epoch) return;
	struct wire_site *s = site_now(b->site, epoch);
	struct wire_class *c = class_now(b->size, epoch);
	uint64_t objects = sample_objects(b);
	ADD(s->freed_samples, 1);
	ADD(s->freed_bytes, b->weight);
	ADD(s->freed_objects_q16, objects);
	if (b->thread != thread) {
		ADD(s->remote_samples, 1);
		ADD(s->remote_bytes, b->weight);
	}
	ADD(s->lifetime[lifetime_bucket(now - b->birth)], 1);
	ADD(c->freed_bytes, b->weight);
	ADD(c->freed_objects_q16, objects);
}
