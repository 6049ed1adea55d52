/* musl_bump.c: the reader of __simple_malloc, which musl links into static programs that allocate and never free (src/malloc/lite_malloc.c). Its
 * state is three words side by side: the end of the break, the same again as the end of what it may hand out, and how far it has come. So
 * it is recognised only while it grows by the break, and in a program of one file without another allocator of musl's; and it can only be said
 * how much it handed out, not in how many pieces. */
#include "inspect/allocator/musl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { CHUNK = 256 << 10, REGION_MAX = 4 << 20 };

static const struct map *break_of(const struct target *t)
{
	const struct map *found = NULL;

	for (size_t i = 0; i < t->maps.n; i++) {
		const struct map *m = &t->maps.map[i];
		if (m->exec && m->path[0] == '/' && !(t->at_entry >= m->start && t->at_entry < m->end)) return NULL;   /* a shared library */
		if (!strcmp(m->path, "[heap]")) found = m;
	}
	return found;
}

/* Of three neighbours two are the end of the break; the other is how far it has come. 0: they are not. */
static uint64_t come_to(const uint64_t w[3], const struct map *heap)
{
	uint64_t cur = 0;
	unsigned ends = 0;

	for (unsigned i = 0; i < 3; i++) {
		if (w[i] == heap->end && ends < 2) ends++;
		else cur = w[i];
	}
	return ends == 2 && cur > heap->start && cur <= heap->end ? cur : 0;
}

static uint64_t scan(const struct target *t, const struct target_region *r, const struct map *heap, char *buf)
{
	uint64_t end = r->end - r->start > REGION_MAX ? r->start + REGION_MAX : r->end, w[3];

	for (uint64_t at = r->start; at < end; at += CHUNK - sizeof w) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK, got = target_peek(t, at, buf, want);
		for (size_t i = 0; i + sizeof w <= got; i += 8) {
			memcpy(w, buf + i, sizeof w);
			if ((w[0] == heap->end || w[1] == heap->end) && come_to(w, heap)) return at + i;
		}
		if (got < want || want < CHUNK) break;
	}
	return 0;
}

static size_t probe(const struct target *t, struct allocator_found *out, size_t max)
{
	const struct map *heap = break_of(t);
	const char *how, *base;
	struct target_region *r, where;
	uint64_t state = 0;

	if (!max || !heap || musl_find(t, &how, &where)) return 0;
	size_t n = target_data_regions(t, &r), i;
	char *buf = xmalloc(CHUNK);
	for (i = 0; i < n && !(state = r[i].main_program ? scan(t, &r[i], heap, buf) : 0); i++);
	if (state) {
		*out = (struct allocator_found){ .kind = &allocator_musl_bump, .state = state };
		snprintf(out->evidence, sizeof out->evidence, "a static program with three words side by side: the end of the break twice, and a place below it; "
		         "nothing else of an allocator");
		base = strrchr(r[i].path, '/');
		snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : r[i].path);
	}
	free(buf);
	free(r);
	return state != 0;
}

static int read_heap(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a,
                     struct allocator_sink *sink, struct err *e)
{
	const struct map *heap = break_of(t);
	uint64_t w[3], cur;

	(void)flags;
	if (mem_read(t->mem, f->state, w, sizeof w, e)) return -1;
	a->state = f->state;
	a->in_use = 1;
	a->live_objects = a->requested_bytes = a->free_objects = a->large_objects = HEAP_UNKNOWN;
	if (!heap || !(cur = come_to(w, heap))) {
		a->status = HEAP_TORN;
		a->bad = 1;
		a->live_bytes = a->free_bytes = a->mapped = HEAP_UNKNOWN;
		snprintf(a->status_text, sizeof a->status_text, "it moved while it was read, or no longer grows by the break");
		return 0;
	}
	a->mapped = heap->end - heap->start;
	a->live_bytes = cur - heap->start;
	a->free_bytes = heap->end - cur;
	snprintf(a->status_text, sizeof a->status_text, "it keeps no record of objects, and never frees");
	if (!sink) return 0;
	sink->range(sink, heap->start, a->live_bytes, ALLOCATOR_LIVE);
	if (a->free_bytes) sink->range(sink, cur, a->free_bytes, ALLOCATOR_FREE);
	return 0;
}

/* Its lock is a word that nothing tells from others. */
static void locks(const struct target *t, const struct allocator_found *f, struct heap_allocator *a)
{
	(void)t;
	(void)f;
	(void)a;
}

const struct allocator allocator_musl_bump = {
	.name = "musl bump allocator",
	.probe = probe,
	.read = read_heap,
	.locks = locks,
};
