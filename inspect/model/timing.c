/* timing.c: see timing.h. Bucket b of a histogram holds calls of 2^b to 2^(b+1) ticks, taken to be spread evenly over the logarithm. */
#include "inspect/model/timing.h"

#include <math.h>

#include "inspect/model/snapshot.h"

static double quantile(const struct snap_timing *t, double q)
{
	double n = 0, below = 0;

	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) n += t->bucket[b];
	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) {
		double in = t->bucket[b];
		if (in > 0 && below + in >= n * q) return fmin(exp2((double)b + (n * q - below) / in) * t->tick_s, t->max_s);
		below += in;
	}
	return 0;
}

void timing_quantiles(struct snap_timing *t)
{
	t->p50_s = quantile(t, 0.5);
	t->p90_s = quantile(t, 0.9);
	t->p99_s = quantile(t, 0.99);
}

/* to += sign * t, whatever can be added. How long a tick is was known less well when t was read: `time` of what it was thought to be. */
static void sum(struct snap_timing *to, const struct snap_timing *t, double sign, double time)
{
	double s = sign * time;

	to->calls += sign * t->calls;
	to->total_s = fmax(to->total_s + s * t->total_s, 0);
	to->variance += s * time * t->variance;
	to->waits += sign * t->waits;
	to->wait_s = fmax(to->wait_s + s * t->wait_s, 0);
	to->spins += sign * t->spins;
	to->spin_s = fmax(to->spin_s + s * t->spin_s, 0);
	to->fault_s = fmax(to->fault_s + s * t->fault_s, 0);
	to->preempted_s = fmax(to->preempted_s + s * t->preempted_s, 0);
	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) to->bucket[b] = fmax(to->bucket[b] + sign * t->bucket[b], 0);
}

void timing_add(struct snap_timing *to, const struct snap_timing *t)
{
	to->tick_s = t->tick_s;
	to->samples += t->samples;
	to->max_s = fmax(to->max_s, t->max_s);
	sum(to, t, 1, 1);
	timing_quantiles(to);
}

int timing_subtract(struct snap_timing *t, const struct snap_timing *before)
{
	unsigned top = WIRE_TIMING_BUCKETS;

	if (t->samples < before->samples || t->calls < before->calls) return -1;
	t->samples -= before->samples;
	sum(t, before, -1, before->tick_s > 0 ? t->tick_s / before->tick_s : 1);
	while (top && !(t->bucket[top - 1] > 0)) top--;
	if (t->max_s <= before->max_s) t->max_s = fmin(t->max_s, exp2(top) * t->tick_s);
	timing_quantiles(t);
	return 0;
}

double timing_error(const struct snap_timing *t)
{
	return sqrt(fmax(t->variance, 0));
}
