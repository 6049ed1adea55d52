/* timing.h: what calls of an allocator cost, by calls that were timed: quantiles, errors, sums and differences of struct snap_timing. */
#ifndef ALLOCTOP_TIMING_H
#define ALLOCTOP_TIMING_H

#include <stddef.h>

struct snap_timing;

/* Fills in the quantiles, from the histogram: right within a bucket, which is a factor of two. */
void timing_quantiles(struct snap_timing *t);
/* Adds what t says; kind and class stay. */
void timing_add(struct snap_timing *to, const struct snap_timing *t);
/* Takes away what had been counted before; the longest call becomes one that it cannot have exceeded meanwhile. 0, or -1: it counts less
   than before, as after a reset, and is left as it is. */
int timing_subtract(struct snap_timing *t, const struct snap_timing *before);
/* The standard error of total_s, which is also the most that any part of it can be off by: from the sampling alone. */
double timing_error(const struct snap_timing *t);

#endif
