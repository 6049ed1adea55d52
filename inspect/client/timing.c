/* timing.c: the timed calls of the agent, from ticks to seconds and from histograms to quantiles. See section.h for its only caller. */
#include "inspect/client/section.h"

#include <stdlib.h>

#include "inspect/model/snapshot.h"
#include "inspect/target/xalloc.h"

/* Ticks below which a share `q` of the calls lies. Within a bucket they are taken to be spread evenly over the logarithm of time. */
static double quantile(const struct wire_timing *w, double q)
{
	double n = 0, below = 0;

	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) n += (double)w->bucket_q16[b];
	for (unsigned b = 0; b < WIRE_TIMING_BUCKETS; b++) {
		double in = (double)w->bucket_q16[b];
		if (in > 0 && below + in >= n * q) return __builtin_exp2((double)b + (n * q - below) / in);
		below += in;
	}
	return 0;
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
		out->timing[out->ntimings++] = (struct snap_timing){
			.op = (enum wire_op)(i / WIRE_CLASSES), .class = i % WIRE_CLASSES, .samples = w->samples,
			.calls = (double)w->calls_q16 / 65536, .total_s = (double)w->ticks * s,
			.usual_s = (double)w->usual_ticks * s, .max_s = (double)w->max_ticks * s,
			.p50_s = quantile(w, 0.5) * s, .p90_s = quantile(w, 0.9) * s, .p99_s = quantile(w, 0.99) * s,
			.waits = (double)w->waits_q16 / 65536, .wait_s = (double)w->wait_ticks * s,
			.spins = (double)w->spins_q16 / 65536, .spin_s = (double)w->spin_ticks * s,
			.fault_s = (double)w->fault_ticks * s, .preempted_s = (double)w->preempted_ticks * s,
		};
	}
	free(entries);
	return 0;
}
