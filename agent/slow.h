/* slow.h: what calls of the allocator cost, by the calls that are sampled anyway. Only while somebody asks for it (the `timing` control
 * word), as it makes two system calls for each: the cycle counter and the kernel's account of the thread (voluntary and other switches,
 * minor faults) before and after. A call stands for as many as its sample does; the stack is the sample's, taken after the call. */
#ifndef AGENT_SLOW_H
#define AGENT_SLOW_H

#include <stddef.h>
#include <stdint.h>
#include "wire.h"

/* One call. Zeroed: not timed. */
struct slow {
	uint64_t ticks;                 /* first when it began, then how long it took */
	uint32_t waited, preempted, faults;     /* voluntary and other switches, minor faults meanwhile */
	int on;
};

/* Around the call proper. Nothing happens unless it is asked for; `wanted` 0: not even then. */
void slow_begin(struct slow *s, int wanted);
void slow_end(struct slow *s);
/* Enters a timed call: of a block of this size, from this site, standing for so many calls. */
void slow_record(const struct slow *s, enum wire_op op, uint32_t site, size_t size, uint64_t objects_q16);

#endif
