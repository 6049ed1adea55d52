/* glibc_tcache.c: the chunks that threads keep for themselves. Where a thread's tcache is stands in its static TLS beside the pointer to
 * its arena; both are found by value, and the distance from the thread pointer is the same for all threads of a process. */
#include "inspect/allocator/glibc.h"

#include <stdio.h>
#include <stdlib.h>

#include "inspect/target/mem.h"

enum { TLS_MAX = 64 << 10, NEAR = 8, BINS_MAX = 76, LEARN_MAX = 16, TRIES = 4 };

/* struct tcache_perthread_struct */
static const struct shape {
	const char *since, *until;
	uint64_t chunk;                 /* size of the chunk that it lies in */
	unsigned bins, count_bytes, counts_left;        /* counts_left: room, not content */
} shapes[] = {
	{ "2.26", "2.29", 0x250, 64, 1, 0 },
	{ "2.30", "2.41", 0x290, 64, 2, 0 },
	{ "2.42", "", 0x300, 76, 2, 1 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

struct tcache {
	uint64_t addr;
	const struct shape *shape;
	unsigned count[BINS_MAX];
	uint64_t entry[BINS_MAX];
};

static int decode(const struct glibc *g, const unsigned char *bytes, struct tcache *c)
{
	const struct shape *s = c->shape;

	for (unsigned i = 0; i < s->bins; i++) {
		uint16_t n = bytes[i];
		if (s->count_bytes == 2) memcpy(&n, bytes + 2 * i, 2);
		memcpy(&c->entry[i], bytes + s->bins * s->count_bytes + 8 * i, 8);
		if (s->counts_left) {
			/* the large bins of 2.42 are off unless asked for: no entry, no count */
			if (!c->entry[i]) n = 0;
			else if (n > g->tcache_count) return -1;
			else n = (uint16_t)(g->tcache_count - n);
		}
		c->count[i] = n;
		if (c->entry[i] % GLIBC_ALIGN || (n && !c->entry[i]) || (i < 64 && g->par && n > g->tcache_count)) return -1;
	}
	return 0;
}

/* Is there a tcache at this address? */
static int read_tcache(const struct glibc *g, uint64_t addr, struct tcache *c)
{
	unsigned char bytes[8 + 0x300];

	if (addr % GLIBC_ALIGN || addr < 16 || !target_is_anonymous(g->t, addr)) return 0;
	size_t n = mem_read_some(g->t->mem, addr - 8, bytes, sizeof bytes);
	if (n < 8) return 0;
	for (c->shape = shapes; c->shape < shapes + SHAPES; c->shape++) {
		if ((glibc_u64(bytes, 0) & ~(uint64_t)GLIBC_BITS) != c->shape->chunk || n < c->shape->chunk - 8) continue;
		c->addr = addr;
		if (!decode(g, bytes + 8, c)) return 1;
	}
	return 0;
}

static int is_arena(const struct glibc *g, uint64_t v)
{
	for (size_t i = 0; i < g->narenas; i++)
		if (g->arena[i].addr == v) return 1;
	return 0;
}

/* The words below a thread pointer, as many as there are. Words[n - 1] is the one right below. */
static size_t read_tls(const struct glibc *g, uint64_t tp, uint64_t *words)
{
	const struct map *m = maps_find(&g->t->maps, tp - 1);
	size_t n = TLS_MAX / 8;

	if (!m) return 0;
	if (tp - m->start < TLS_MAX) n = (size_t)(tp - m->start) / 8;
	return mem_read_some(g->t->mem, tp - n * 8, words, n * 8) == n * 8 ? n : 0;
}

/* The distance, in words below the thread pointer, of the pointer to the tcache; 0 if this thread does not show it. */
static size_t find_slot(const struct glibc *g, uint64_t tp, struct tcache *c)
{
	static uint64_t words[TLS_MAX / 8];
	size_t n = read_tls(g, tp, words);

	for (size_t i = n; i-- > 0;) {
		if (words[i] < 4096 || !is_arena(g, words[i])) continue;
		for (size_t j = i > NEAR ? i - NEAR : 0; j < n && j <= i + NEAR; j++)
			if (words[j] != words[i] && read_tcache(g, words[j], c)) return n - j;
	}
	return 0;
}

/* Chunks of a bin as its entries say, at most one more than it counts; how many made sense. With steps: they become specials. */
static unsigned follow(struct glibc *g, const struct tcache *c, unsigned bin, unsigned safe, uint64_t *steps)
{
	uint64_t entry = c->entry[bin], word[2], want = GLIBC_MINSIZE + 16 * bin;
	unsigned n;

	for (n = 0; n <= c->count[bin] && entry && (!steps || *steps); n++) {
		if (entry % GLIBC_ALIGN || mem_read_some(g->t->mem, entry - 8, word, sizeof word) < sizeof word) break;
		uint64_t size = word[0] & ~(uint64_t)GLIBC_BITS;
		if (bin < 64 ? size != want : size < 0x420) break;
		if (steps) {
			--*steps;
			glibc_special_add(g, entry - 16, size, ALLOCATOR_CACHED, 0);
		}
		entry = safe ? word[1] ^ entry >> 12 : word[1];
	}
	/* the last one ends the list */
	return entry && steps && *steps ? 0 : n;
}

/* The arena of a thread stands near its tcache. */
static void name_arena(const struct glibc *g, uint64_t tp, size_t slot, struct heap_thread *t)
{
	uint64_t word[2 * NEAR + 1];

	if (mem_read_some(g->t->mem, tp - (slot + NEAR) * 8, word, sizeof word) < sizeof word) return;
	for (size_t i = 0; i < 2 * NEAR + 1; i++)
		for (size_t k = 0; k < g->narenas; k++) {
			if (g->arena[k].addr != word[i]) continue;
			if (k) snprintf(t->arena, sizeof t->arena, "arena %zu", g->narenas - k);
			else snprintf(t->arena, sizeof t->arena, "main arena");
		}
}

/* One tcache as it stands now: how many of its bins have something, and have all that they may. -1 when a bin is not the list that it says.
   malloc and free change list and count one after the other, so one bin may be caught in between, also when its thread stands still. */
static int take(struct glibc *g, const struct tcache *c, struct heap_thread *t, uint64_t *steps, size_t *used, size_t *full)
{
	int status = 0, between = 0;

	t->cached = t->cached_objects = 0;
	*used = *full = 0;
	glibc_special_add(g, c->addr - 16, c->shape->chunk, ALLOCATOR_METADATA, 0);
	for (unsigned b = 0; b < c->shape->bins; b++) {
		if (!c->count[b]) continue;
		++*used;
		*full += c->count[b] >= g->tcache_count;
		if (!g->mangling_known && c->count[b] > 1 && c->count[b] < LEARN_MAX) {
			unsigned plain = follow(g, c, b, 0, NULL), safe = follow(g, c, b, 1, NULL);
			g->safe_linking = safe >= plain;
			g->mangling_known = safe != plain;
		}
		unsigned n = follow(g, c, b, g->safe_linking, steps), counted = c->count[b];
		if (n != counted && *steps) {
			if (n + 1 < counted || n > counted + 1 || between++) status = -1;
			else counted = n;
		}
		t->cached_objects += counted;
		t->cached += counted * (GLIBC_MINSIZE + 16ull * b);
	}
	return status;
}

/* The thread may be using it right now: a few looks, the last one counts. */
static void one(struct glibc *g, size_t i, uint64_t tp, size_t slot, struct tcache *c, uint64_t *steps)
{
	struct heap_thread *t = heap_thread_of(g->a, g->t->thread[i].tid);
	size_t specials = g->nspecials, used, full;
	unsigned n = 0;

	while (take(g, c, t, steps, &used, &full)) {
		if (++n == TRIES || !read_tcache(g, c->addr, c)) {
			glibc_bad(g, "the tcache at 0x%llx is not the lists that it says", (unsigned long long)c->addr);
			break;
		}
		g->nspecials = specials;
	}
	g->tcaches++;
	g->bins_used += used;
	g->bins_full += full;
	name_arena(g, tp, slot, t);
	g->tcache_objects += t->cached_objects;
	g->tcache_bytes += t->cached;
}

int glibc_tcache(struct glibc *g, uint64_t *steps)
{
	size_t slot = 0;

	if (g->par && !g->par->tcache_bins) return 0;
	for (size_t i = 0; i < g->t->nthreads; i++) {
		uint64_t tp = target_thread_pointer(g->t, &g->t->thread[i]), word;
		struct tcache c = { 0 };
		if (!tp) continue;
		if (!slot) {
			slot = find_slot(g, tp, &c);
			if (slot) one(g, i, tp, slot, &c, steps);
			else if (i > 64) return 0;      /* none of so many has one: tcache is switched off */
		} else if (mem_read_some(g->t->mem, tp - slot * 8, &word, 8) == 8 && word && read_tcache(g, word, &c)) {
			one(g, i, tp, slot, &c, steps);
		}
	}
	return *steps ? 0 : -1;
}
