/* live.c: copies live records out of a segment that is being written. See section.h.
 *
 * A record is good when its sequence is even and the same before and after the copy. Each stretch is copied three times: the first
 * copy gives the sequence before, the second the record, the third the sequence after. */
#include "inspect/client/section.h"

#include <stdlib.h>

#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { STRETCH = 4096, TRIES = 5 };

struct copies { struct wire_live before[STRETCH], record[STRETCH], after[STRETCH]; };

static int copy(struct reading *r, uint64_t addr, struct copies *c, size_t n, struct err *e)
{
	size_t bytes = n * sizeof(struct wire_live);

	return mem_read(r->seg->mem, addr, c->before, bytes, e) || mem_read(r->seg->mem, addr, c->record, bytes, e) ||
	       mem_read(r->seg->mem, addr, c->after, bytes, e) ? -1 : 0;
}

static int still(const struct copies *c, size_t i)
{
	uint32_t seq = c->before[i].seq;

	return !(seq & 1) && seq == c->record[i].seq && seq == c->after[i].seq;
}

/* Tries one record again. 1: stood still, 0: did not, -1 unreadable. */
static int again(struct reading *r, uint64_t addr, struct wire_live *record, struct copies *one, struct err *e)
{
	for (int try = 0; try < TRIES; try++) {
		if (copy(r, addr, one, 1, e)) return -1;
		if (still(one, 0)) {
			*record = one->record[0];
			return 1;
		}
	}
	r->torn++;
	return 0;
}

int live_load(struct reading *r, struct wire_live **out, size_t *n, struct err *e)
{
	uint64_t addr;
	size_t total, cap = 0;
	struct copies *c = xmalloc(sizeof *c), *one = xmalloc(sizeof *one);

	*n = 0;
	*out = NULL;
	if (section_find(r, WIRE_LIVE, sizeof **out, SIZE_MAX, &addr, &total, e)) goto bad;
	for (size_t at = 0; at < total; at += STRETCH) {
		size_t len = total - at < STRETCH ? total - at : STRETCH;
		uint64_t from = addr + at * sizeof **out;
		if (copy(r, from, c, len, e)) goto bad;
		for (size_t i = 0; i < len; i++) {
			int good = still(c, i) ? 1 : again(r, from + i * sizeof **out, &c->record[i], one, e);
			if (good < 0) goto bad;
			if (!good || !c->record[i].addr || c->record[i].epoch != r->epoch) continue;
			if (*n == cap) *out = xreallocarray(*out, cap = cap ? 2 * cap : 1024, sizeof **out);
			(*out)[(*n)++] = c->record[i];
		}
	}
	free(c);
	free(one);
	return 0;
bad:
	free(c);
	free(one);
	free(*out);
	*out = NULL;
	return -1;
}
