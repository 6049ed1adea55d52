/* live.h: the exact set of sampled blocks that are allocated now, and the filter in front of it. Every free asks the filter: one
 * byte, no lock, no shared line written. A block enters before the program learns its address and leaves before the allocator
 * learns of the free, so that no address is ever in it twice. */
#ifndef AGENT_LIVE_H
#define AGENT_LIVE_H

#include "cc.h"
#include "wire.h"

enum { LIVE_FILTER = 1 << 17 };

extern uint8_t live_filter[LIVE_FILTER] OURS;        /* how many sampled blocks hash here; 255: never lowered again */

/* Neighbours in the heap are neighbours here: a program that works on few pages touches few lines of the filter. */
static ALWAYS_INLINE uint32_t live_hash(const void *p)
{
	uint64_t a = (uint64_t)p >> 4;
	return (uint32_t)(a ^ a >> 17) & (LIVE_FILTER - 1);
}

static ALWAYS_INLINE int live_maybe(const void *p)
{
	return LOAD(live_filter[live_hash(p)]);
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
