/* live.h: the exact set of sampled blocks that are allocated now, and the filters in front of it. Every free asks the first: one
 * byte, no lock, no shared line written. A block enters before the program learns its address and leaves before the allocator
 * learns of the free, so that no address is ever in it twice. */
#ifndef AGENT_LIVE_H
#define AGENT_LIVE_H

#include "cc.h"
#include "wire.h"

/* The first filter stays in the nearest cache, whatever the program does there; what passes it by chance, with hundreds of samples and
   more, is kept from the exact set by the second. */
enum { LIVE_NEAR = 1 << 12, LIVE_FAR = 1 << 17 };

/* How many sampled blocks hash here; 255: never lowered again. */
extern uint8_t live_near[LIVE_NEAR] OURS, live_far[LIVE_FAR] OURS;

/* Neighbours in the heap are neighbours here: a program that works on few pages touches few lines of the filters. Blocks of whole pages,
   all at the same place in theirs, crowd in the first. */
static ALWAYS_INLINE uint8_t *live_at_near(uint64_t addr) { return &live_near[(addr >> 4) % LIVE_NEAR]; }
static ALWAYS_INLINE uint8_t *live_at_far(uint64_t addr) { return &live_far[(addr >> 4 ^ addr >> 21) % LIVE_FAR]; }

static ALWAYS_INLINE int live_maybe(const void *p)
{
	return UNLIKELY(LOAD(*live_at_near((uint64_t)p))) && LOAD(*live_at_far((uint64_t)p));
}

/* Enters a block; b->seq is ignored. 0, or -1 with the loss counted. */
int live_insert(const struct wire_live *b);
/* Takes a block out and copies it to *b. 0, or -1 when it is not there. */
int live_remove(uint64_t addr, struct wire_live *b);
/* Every free asks the exact set from now on (exact mode). */
void live_filter_saturate(void);
/* In a forked child, after the segment was replaced. */
void live_filter_clear(void);

#endif
