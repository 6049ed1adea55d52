/* timing.c: the timed calls of the agent, from ticks to seconds. See section.h for its only caller. */
#include "inspect/client/section.h"

#include <math.h>
#include <stdlib.h>

#include "inspect/model/snapshot.h"
#include "inspect/model/timing.h"
#include "inspect/target/xalloc.h"

/* The variance that sampling gives the sum of ticks. Each sample stands for w calls: one of x ticks adds w(w-1)x^2, and the mean of x^2
   over a bucket that begins at a is 3 a^2 / (2 ln 2). */
static double variance(const struct wire_timing *w)
{
	double each = (double)w->calls_q16 / 65536 / (double)w->samples, sum = 0;

	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) sum += (double)w->bucket_q16[b] / 65536 * exp2(2 * b) * 3 / (2 * M_LN2);
	return each > 1 ? sum * (each - 1) : 0;
}

static struct snap_timing decode(const struct wire_timing *w, size_t i, double s)
{
	struct snap_timing t = {
		.op = (enum wire_op)(i / WIRE_CLASSES), .class = i % WIRE_CLASSES, .samples = w->samples,
		.calls = (double)w->calls_q16 / 65536, .total_s = (double)w->ticks * s,
		.usual_s = (double)w->usual_ticks * s, .max_s = (double)w->max_ticks * s,
		.waits = (double)w->waits_q16 / 65536, .wait_s = (double)w->wait_ticks * s,
		.spins = (double)w->spins_q16 / 65536, .spin_s = (double)w->spin_ticks * s,
		.fault_s = (double)w->fault_ticks * s, .preempted_s = (double)w->preempted_ticks * s,
		.variance = variance(w) * s * s, .tick_s = s,
	};

	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) t.bucket[b] = (double)w->bucket_q16[b] / 65536;
	timing_quantiles(&t);
	return t;
}

int timing_decode(struct reading *r, struct snapshot *out, struct err *e)
{
	void *entries;
	size_t n;
	double s = out->ticks_per_s > 0 ? 1 / out->ticks_per_s : 0;

	if (section_load(r, WIRE_TIMING, sizeof(struct wire_timing), SIZE_MAX, &entries, &n, e)) return -1;
	const struct wire_timing *w = entries;
	out->timing = xcalloc(n + 1, sizeof *out->timing);
	for (size_t i = 0; i < n && i < WIRE_OPS * WIRE_CLASSES; i++, w++) {
		if (w->epoch != r->epoch || !w->samples) continue;
		out->timing[out->ntimings++] = decode(w, i, s);
	}
	free(entries);
	return 0;
}
