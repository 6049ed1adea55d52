/* site.h: call stacks that allocate, each kept once, with its totals. */
#ifndef AGENT_SITE_H
#define AGENT_SITE_H

#include <stdint.h>

struct wire_live;

/* The site of a stack; 0, the gathering one, when there is no room for a new one (counted). */
uint32_t site_of(const uint64_t *pc, unsigned depth, unsigned cut);
/* What one sampled allocation stands for: bytes, objects (16 fractional bits), variance of bytes in KiB squared. */
struct site_weight { uint64_t bytes, objects_q16, variance_kib2; };
/* Counts one sampled allocation, and the free of one; both in the current epoch, for the site and for the size class. */
void site_allocated(uint32_t site, uint64_t size, const struct site_weight *w);
/* Counts one timed call, standing for so many, and what of its time was lost. */
void site_timed(uint32_t site, uint64_t objects_q16, uint64_t lost_ticks);
void site_freed(const struct wire_live *b, uint32_t thread, uint64_t now);

#endif
