/* sample.h: which allocations are sampled, and what becomes of them. The slow path of every hook; hooks.c is the only caller.
 *
 * Poisson per byte: gaps are exponential with mean `rate`, so a block of S bytes is sampled with probability 1 - exp(-S/rate) and then
 * stands for S / (1 - exp(-S/rate)) bytes. At rate 1 every allocation is taken, exactly. */
#ifndef AGENT_SAMPLE_H
#define AGENT_SAMPLE_H

#include <stddef.h>
#include <stdint.h>
#include "wire.h"

struct slow;

/* An allocation of n bytes is about to be made by this thread. Returns the rate it is sampled at, 0 when it is not. */
uint64_t sample_due(size_t n);
/* It was made (p not NULL), or failed (NULL). `rate` as returned above; 0 is allowed and only counts in exact mode. s: how long it
   took, and what kind of call it was. */
void sample_made(void *p, size_t n, uint64_t rate, const struct slow *s, enum wire_op op);
/* p is about to be freed or resized. Returns 1 and takes the block out when it was sampled. */
int sample_forget(void *p, struct wire_live *b);
/* What sample_forget took out: it was freed; or it was not, as the resize failed. */
void sample_freed(const struct wire_live *b);
/* Where the calling thread frees it: the site, once the call has returned. That of the allocation where it cannot be told. */
uint32_t sample_freeing(const struct wire_live *b);
void sample_restore(const struct wire_live *b);

/* How many blocks a sampled one stands for, 16 fractional bits. */
uint64_t sample_objects(const struct wire_live *b);

#endif
