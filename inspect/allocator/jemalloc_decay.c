/* jemalloc_decay.c: how fast an arena gives its free pages back. It has two records of it, for dirty pages and for muzzy ones (decay.h of
 * 5.3, arena_structs_b.h before): the decay time in ms, the interval of a 200th of it, when it was last attended to, the state of a random
 * number, and when that is due again. Where they are in an arena differs from build to build; what they say of each other does not. */
#include "inspect/allocator/jemalloc.h"

#include <stdlib.h>
#include <time.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { TIME, INTERVAL, EPOCH, JITTER, DEADLINE, WORDS, NS_OF_STEP = 1000000 / 200, HEAD_MAX = 192, APART_MAX = 4096, SLACK_MS = 100 };

static const int64_t time_max = INT64_C(1) << 40;

/* One that decays steps from epoch to deadline, by one to two intervals; one that does not has its own address as random number. */
static int is_decay(const uint64_t *w, uint64_t addr)
{
	int64_t ms = (int64_t)w[TIME];

	if (w[DEADLINE] < w[EPOCH] || !w[EPOCH]) return 0;
	if (ms == 0 || ms == -1) return w[JITTER] < addr && addr - w[JITTER] < HEAD_MAX && w[JITTER] % 8 == 0;
	if (ms < 0 || ms > time_max || w[INTERVAL] != (uint64_t)ms * NS_OF_STEP) return 0;
	return w[DEADLINE] - w[EPOCH] >= w[INTERVAL] && w[DEADLINE] - w[EPOCH] <= 2 * w[INTERVAL];
}

int jemalloc_decay(const struct jemalloc *j, const struct jemalloc_arena *a, struct jemalloc_decay out[2])
{
	size_t n = j->found->extra[JEMALLOC_EXTRA_BINS] / 8, found = 0, at = 0;
	uint64_t *w;

	if (n < WORDS || n > JEMALLOC_BLOCK / 8) return -1;
	w = xmalloc(n * sizeof *w);
	n = mem_read_some(j->t->mem, a->addr, w, n * sizeof *w) / sizeof *w;
	for (size_t i = 0; i + WORDS <= n && found < 2; i++) {
		if (!is_decay(w + i, a->addr + i * 8)) continue;
		if (found && (i - at) * 8 > APART_MAX) break;
		at = i;
		out[found++] = (struct jemalloc_decay){ (int64_t)w[i + TIME], w[i + EPOCH] };
		i += WORDS - 1;
	}
	free(w);
	return found == 2 ? 0 : -1;
}

/* Whoever uses an arena makes it decay now and then; of one that nobody uses, pages stay dirty for ever, if no thread of jemalloc's own
   looks after it. Twice the time, as pages decay for so long after the last of them was freed. */
static int overdue(const struct jemalloc_decay *d)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	uint64_t now = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	return d->ms >= 0 && now > d->epoch && (now - d->epoch) / 1000000 > 2 * (uint64_t)d->ms + SLACK_MS;
}

void jemalloc_decays(struct jemalloc *j)
{
	struct jemalloc_decay d[2], all[2] = { { 0 } };
	uint64_t late = 0;

	for (size_t i = 0; i < j->narenas; i++) {
		if (jemalloc_decay(j, &j->arena[i], d)) return;
		/* the slowest one's word, as that is what keeps pages */
		for (unsigned k = 0; k < 2; k++)
			if (!i || d[k].ms == -1 || (all[k].ms != -1 && d[k].ms > all[k].ms)) all[k] = d[k];
		if (overdue(&d[0])) late += j->arena[i].dirty;
	}
	heap_add_fact(j->a, "dirty_decay", (double)all[0].ms, "ms");
	heap_add_fact(j->a, "muzzy_decay", (double)all[1].ms, "ms");
	if (j->by_arena && j->t->pid) heap_add_fact(j->a, "dirty_overdue", (double)late, "bytes");
}
