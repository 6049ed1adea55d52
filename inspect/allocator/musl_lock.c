/* musl_lock.c: finds mallocng's one lock, which no symbol names in a stripped libc. The machine code around uses of the context votes for
 * the word; where it says nothing, a static program's usual place, right behind the context, is tried. Either must hold a value that a lock can
 * have, see src/thread/__lock.c: 0 free; below 0 held, INT_MIN plus the threads inside; above 0 free with that many still on their way in. */
#include "inspect/allocator/musl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/image.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { CHUNK = 1 << 20, CODE_MAX = 256 << 20, VOTES = 8192, BEHIND = 32 /* alignment of what follows the context */ };

int musl_lock_plausible(int32_t value, size_t threads)
{
	/* a thread may have come since they were counted */
	int64_t inside = value < 0 ? (int64_t)value - INT_MIN : value;

	return (!value || inside > 0) && inside <= (int64_t)threads * 2 + 8;
}

static int holds_a_lock(const struct target *t, const struct target_region *r, uint64_t addr)
{
	int32_t value;

	return addr >= r->start && addr < r->end && mem_read_some(t->mem, addr, &value, sizeof value) == sizeof value &&
	       musl_lock_plausible(value, t->nthreads);
}

/* Code of one map, in pieces that overlap by what is near. */
static void read_code(const struct target *t, const struct map *m, uint64_t context, uint8_t *buf, struct musl_vote *votes)
{
	struct image image;

	image_open(&image, t, m);
	for (uint64_t at = m->start; at < m->end; at += CHUNK) {
		uint64_t lead = at - m->start < MUSL_CODE_NEAR ? 0 : MUSL_CODE_NEAR;
		uint64_t want = m->end - at < CHUNK + MUSL_CODE_NEAR ? m->end - at : CHUNK + MUSL_CODE_NEAR;
		size_t got = image_read(&image, at - lead, buf, (size_t)(lead + want));
		musl_code_votes(buf, got, (size_t)lead, (size_t)lead + CHUNK, at - lead, context, votes, VOTES);
	}
	image_close(&image);
}

/* The word with the most votes: loads for a call weigh more than any number of uses nearby. */
static uint64_t elect(const struct target *t, const struct target_region *r, const struct musl_vote *votes)
{
	const struct musl_vote *best = NULL;

	for (size_t i = 0; i < VOTES; i++) {
		const struct musl_vote *v = &votes[i];
		if (!v->addr || !holds_a_lock(t, r, v->addr)) continue;
		if (!best || v->calls > best->calls || (v->calls == best->calls && v->near > best->near)) best = v;
	}
	return best && best->calls > 1 ? best->addr : 0;
}

static int region_of(const struct target *t, uint64_t addr, struct target_region *out)
{
	struct target_region *r;
	size_t n = target_data_regions(t, &r), i;

	for (i = 0; i < n && !(addr >= r[i].start && addr < r[i].end); i++);
	if (i < n) *out = r[i];
	free(r);
	return i < n;
}

uint64_t musl_lock(const struct target *t, uint64_t context)
{
	struct target_region r;
	uint64_t found, left = CODE_MAX, behind = (context + sizeof(struct musl_context) + BEHIND - 1) & ~(uint64_t)(BEHIND - 1);

	if (!region_of(t, context, &r)) return 0;
	struct musl_vote *votes = xcalloc(VOTES, sizeof *votes);
	uint8_t *buf = xmalloc(CHUNK + 2 * MUSL_CODE_NEAR);
	for (size_t i = 0; i < t->maps.n; i++) {
		const struct map *m = &t->maps.map[i];
		if (!m->exec || !m->read || strcmp(m->path, r.path) || m->end - m->start > left) continue;
		left -= m->end - m->start;
		read_code(t, m, context, buf, votes);
	}
	found = elect(t, &r, votes);
	if (!found && r.main_program && holds_a_lock(t, &r, behind)) found = behind;
	free(buf);
	free(votes);
	return found;
}
