/* slots.h: how much more than the program asked for an allocator gives it, by the agent's samples and the classes that the allocator was seen to
 * use. For use by collect_agent.c. */
#ifndef ALLOCTOP_SLOTS_H
#define ALLOCTOP_SLOTS_H

#include <stdint.h>

struct heap_allocator;
struct snapshot;

/* Bytes of the slot that a block of `size` gets; 0 when that is not known. */
uint64_t slots_of(const struct heap_allocator *a, uint64_t size);
/* Fills in live_rounding of all sites. 0, or -1: nothing is known of this allocator's slots. */
int slots_fill(struct snapshot *s, const struct heap_allocator *a);

#endif
