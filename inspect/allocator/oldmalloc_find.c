/* oldmalloc_find.c: finds oldmalloc's bins by their shape, in a process without symbols. A bin that was used and is empty points to itself; one
 * that is not empty points to a chunk that points back; the bit map says which is which; and the others are zero. */
#include "inspect/allocator/oldmalloc.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	CHUNK = 256 << 10, REGION_MAX = 64 << 20,
	VIOLATIONS = 6,                 /* bins in the middle of a change, in a busy process */
	BACK = 8, RETRIES = 40,         /* lists that are followed one step, and how often: heads move fast */
	LOOKS = 4096,                   /* chunks looked at for one region, before it is given up */
};

/* The two words of a lock: held or not, and so many threads waiting. */
static int lock_like(const int32_t lock[2])
{
	return !(lock[0] & ~1) && lock[1] >= 0 && lock[1] <= 1 << 22;
}

/* How much like a state: bins that agree with the map, less four times those that do not; negative: it is none. Lists look the same from
   the place of any bin, so it is the map that tells which is the first. */
static int shape(const struct oldmalloc_state *s, uint64_t addr)
{
	int bad = 0, good = 0;

	for (unsigned k = 0; k < OLDMALLOC_BINS; k++) {
		const struct oldmalloc_bin *b = &s->bin[k];
		uint64_t self = oldmalloc_bin_chunk(addr, k);
		int bit = s->binmap >> k & 1;
		if (!b->head && !b->tail) bad += bit;
		else if (b->head == self && b->tail == self) bad += bit, good += !bit;
		else if (b->head && b->tail && b->head % 16 == 0 && b->tail % 16 == 0 && b->head != self && b->tail != self) bad += !bit, good += bit;
		else bad++;
		/* the locks: held or not, and some threads */
		bad += !lock_like(b->lock);
		if (bad > VIOLATIONS) return -1;        /* most often so */
	}
	return good - 4 * bad;
}

/* A longer row of empty lists, as tcmalloc's page heap has one: it goes on before the first bin or behind the last. */
static int goes_on(const struct target *t, uint64_t addr)
{
	static const int beyond[] = { -2, -1, OLDMALLOC_BINS, OLDMALLOC_BINS + 1 };
	const uint64_t first = offsetof(struct oldmalloc_state, bin) + offsetof(struct oldmalloc_bin, head);

	for (unsigned i = 0; i < sizeof beyond / sizeof *beyond; i++) {
		uint64_t step = (uint64_t)((int64_t)sizeof(struct oldmalloc_bin) * beyond[i]), self = addr + step, word[2];
		if (mem_read_some(t->mem, self + first, word, sizeof word) == sizeof word && word[0] == self && word[1] == self) return 1;
	}
	return 0;
}

/* Does the first chunk of a list point back at the bin? Lists change under us: several tries. */
static int points_back(const struct target *t, uint64_t addr)
{
	struct oldmalloc_state s;
	struct oldmalloc_chunk c;
	unsigned lists = 0, tried = 0;

	for (unsigned i = 0; i < RETRIES; i++) {
		if (mem_read_some(t->mem, addr, &s, sizeof s) < sizeof s) return 0;
		tried = 0;
		for (unsigned k = 0; k < OLDMALLOC_BINS && tried < BACK; k++) {
			if (!(s.binmap >> k & 1)) continue;
			tried++;
			if (mem_read_some(t->mem, s.bin[k].head, &c, sizeof c) == sizeof c && c.prev == oldmalloc_bin_chunk(addr, k)) lists++;
		}
		if (lists) return 1;
		/* nothing free at all: the empty lists alone must do, and there must be enough of them */
		if (!tried) return shape(&s, addr) >= BACK && !goes_on(t, addr);
	}
	return 0;
}

/* The state of which the head of a list is at an address of the region: any of the 64. */
static uint64_t around(const struct target *t, const struct target_region *r, uint64_t head)
{
	const uint64_t first = offsetof(struct oldmalloc_state, bin) + offsetof(struct oldmalloc_bin, head), step = sizeof(struct oldmalloc_bin);
	char buf[2 * sizeof(struct oldmalloc_state)];
	uint64_t reach = first + (OLDMALLOC_BINS - 1) * step, base = head - r->start < reach ? r->start : head - reach;
	size_t got = mem_read_some(t->mem, base, buf, sizeof buf);
	uint64_t best = 0;
	int most = 0;

	for (unsigned k = 0; k < OLDMALLOC_BINS; k++) {
		struct oldmalloc_state s;
		uint64_t addr = head - first - k * step;
		if (addr < base || addr > head || addr - base + sizeof s > got) continue;
		memcpy(&s, buf + (addr - base), sizeof s);
		int like = shape(&s, addr);
		if (like <= most) continue;
		most = like;
		best = addr;
	}
	return best && points_back(t, best) ? best : 0;
}

/* Head and tail in buf at i stand between this bin's lock and the next one's: a cheap look before a dear one. */
static int between_locks(const char *buf, size_t i, size_t n)
{
	int32_t own[2] = { 0, 0 }, next[2] = { 0, 0 };

	if (i >= sizeof own) memcpy(own, buf + i - sizeof own, sizeof own);
	if (i + 24 <= n) memcpy(next, buf + i + 16, sizeof next);
	return lock_like(own) && lock_like(next);
}

/* Can this be the head of a list? `self`: what it would be of an empty one. A list of one chunk costs a look at the chunk. */
static int head_like(const struct target *t, const uint64_t *word, uint64_t self, unsigned *looks)
{
	struct oldmalloc_chunk c;

	if (word[0] == self && word[1] == self) return 1;
	if (word[0] % OLDMALLOC_ALIGN != OLDMALLOC_HEADER || word[1] % OLDMALLOC_ALIGN != OLDMALLOC_HEADER || *looks >= LOOKS) return 0;
	if (!maps_find(&t->maps, word[0])) return 0;
	++*looks;
	return mem_read_some(t->mem, word[0], &c, sizeof c) == sizeof c && c.prev == self && !(c.csize & OLDMALLOC_IN_USE);
}

static uint64_t scan(const struct target *t, const struct target_region *r, char *buf)
{
	uint64_t end = r->end - r->start > REGION_MAX ? r->start + REGION_MAX : r->end;
	unsigned looks = 0, tries = 0;

	for (uint64_t at = r->start; at < end; at += CHUNK - 16) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK, got = target_peek(t, at, buf, want);
		for (size_t i = 0; i + 16 <= got; i += 8) {
			uint64_t word[2], found;
			memcpy(word, buf + i, sizeof word);
			if (!word[0] || !word[1] || !between_locks(buf, i, got) || !head_like(t, word, at + i - OLDMALLOC_HEADER, &looks)) continue;
			/* a list that is not one of ours: some other allocator's bins, or a program's lists */
			if (++tries > LOOKS) return 0;
			if ((found = around(t, r, at + i))) return found;
		}
		if (got < want || want < CHUNK) break;
	}
	return 0;
}

uint64_t oldmalloc_find(const struct target *t, struct target_region *where)
{
	struct target_region *r;
	size_t n = target_data_regions(t, &r);
	char *buf = xmalloc(CHUNK);
	uint64_t found = 0;

	for (size_t i = 0; i < n && !found; i++)
		if ((found = scan(t, &r[i], buf))) *where = r[i];
	free(buf);
	free(r);
	return found;
}
