/* snapshot.c: what goes with a snapshot: its end, the words for losses, the median of a lifetime histogram. See snapshot.h. */
#include "inspect/model/snapshot.h"

#include <stdlib.h>

static const struct { const char *name, *text; } loss[] = {
	[WIRE_LOST_LIVE_FULL] = { "live-full", "sampled blocks not kept as live: the table is full (a higher rate value takes fewer samples)" },
	[WIRE_LOST_CONTENTION] = { "contention", "sampled blocks not kept as live: too many threads at the same place of the table" },
	[WIRE_LOST_SITE_FULL] = { "site-full", "samples without their stack: the table of stacks is full" },
	[WIRE_LOST_THREAD_FULL] = { "thread-full", "threads without totals of their own: the table of threads is full" },
	[WIRE_LOST_MODULE_FULL] = { "module-full", "loaded objects not recorded: the table is full, their code has no names" },
	[WIRE_LOST_STALE] = { "stale", "live blocks dropped: allocated again, though their free was never seen" },
	[WIRE_LOST_EARLY] = { "early", "allocations made before the agent could start" },
	[WIRE_CUT_DEPTH] = { "cut-depth", "stacks deeper than what is kept of them" },
	[WIRE_CUT_UNKNOWN_CODE] = { "cut-unknown-code", "stacks cut at code that belongs to no known file (generated code)" },
	[WIRE_CUT_NO_RULE] = { "cut-no-rule", "stacks cut at code without unwind information" },
	[WIRE_CUT_BOUNDS] = { "cut-bounds", "stacks cut where the next frame lay outside the thread's stack" },
	[WIRE_LOST_SLOT] = { "slot", "calls not seen: more threads than an attached agent has room for" },
};
enum { LOSSES = sizeof loss / sizeof *loss };
_Static_assert(LOSSES == WIRE_LOST_SLOT + 1, "every loss has words");

const char *snapshot_loss_name(unsigned i)
{
	return i < LOSSES ? loss[i].name : NULL;
}

const char *snapshot_loss_text(unsigned i)
{
	return i < LOSSES ? loss[i].text : NULL;
}

void snapshot_free(struct snapshot *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->nmodules; i++)
		free((char *)s->module[i].path);
	free(s->module);
	free(s->site);
	free(s->live);
	free(s->thread);
	free(s->timing);
	free(s->storage);
	*s = (struct snapshot){ 0 };
}

/* Inside the bucket that holds the middle sample, the samples are taken to be spread evenly over the logarithm of time. */
double snapshot_median_lifetime(const struct snapshot *s, const struct snap_site *site)
{
	double n = 0, below = 0;

	for (unsigned b = 0; b < WIRE_LIFETIMES; b++) n += site->lifetime[b];
	if (!(n > 0) || !(s->ticks_per_s > 0)) return -1;
	for (unsigned b = 0; b < WIRE_LIFETIMES; b++) {
		double in = site->lifetime[b];
		if (in <= 0 || below + in < n / 2) {
			below += in;
			continue;
		}
		/* ticks = 2^(shift + 2 (b + part)) */
		double part = (n / 2 - below) / in;
		return __builtin_exp2(WIRE_LIFETIME_SHIFT + 2 * ((double)b + part)) / s->ticks_per_s;
	}
	return -1;
}

void snapshot_site_add(struct snap_site *to, const struct snap_site *s)
{
	to->samples += s->samples;
	to->freed_samples += s->freed_samples;
	to->remote_samples += s->remote_samples;
	to->alloc_bytes += s->alloc_bytes;
	to->alloc_objects += s->alloc_objects;
	to->alloc_variance += s->alloc_variance;
	to->freed_bytes += s->freed_bytes;
	to->freed_objects += s->freed_objects;
	to->remote_bytes += s->remote_bytes;
	to->timed += s->timed;
	to->waits += s->waits;
	to->wait_s += s->wait_s;
	for (unsigned b = 0; b < WIRE_LIFETIMES; b++) to->lifetime[b] += s->lifetime[b];
	to->live_samples += s->live_samples;
	to->live_bytes += s->live_bytes;
	to->live_objects += s->live_objects;
	to->live_variance += s->live_variance;
	to->live_rounding += s->live_rounding;
}
