/* timing: differences, sums and quantiles of timed calls. */
/* LINK: inspect/model/timing.c */
#include "inspect/model/timing.h"

#include <math.h>

#include "inspect/model/snapshot.h"
#include "tests/tap.h"

static int is_near(double a, double b) { return fabs(a - b) <= 1e-9 * (1 + fabs(b)); }

/* n calls that took from 2^b to 2^(b+1) ticks, each timed one standing for 10 */
static struct snap_timing calls(double n, unsigned b)
{
	struct snap_timing t = { .samples = (uint64_t)(n / 10), .calls = n, .total_s = n * exp2(b) * 1e-9, .max_s = exp2(b) * 1.5e-9, .wait_s = n * 1e-9, .variance = 4, .tick_s = 1e-9 };

	t.bucket[b] = n;
	return t;
}

int main(void)
{
	struct snap_timing before = calls(1000, 10), now = before, more = calls(200, 6), none;

	timing_add(&now, &more);
	ok(is_near(now.calls, 1200) && now.samples == 120 && is_near(now.wait_s, 1200e-9), "a sum");
	ok(is_near(now.max_s, before.max_s), "its longest is the longer one");
	ok(!timing_subtract(&now, &before) && now.samples == 20 && is_near(now.calls, 200), "a difference");
	ok(is_near(now.total_s, more.total_s) && is_near(timing_error(&now), 2), "of time, and of the error");
	ok(now.max_s <= 128.001e-9 && now.max_s >= 64e-9, "the longest before is not the longest meanwhile");
	ok(now.p50_s > 64e-9 && now.p50_s < now.p90_s && now.p90_s < now.p99_s && now.p99_s <= 128e-9, "quantiles lie in their bucket, in order");
	none = before;
	ok(!timing_subtract(&none, &before) && !none.samples && none.p99_s == 0 && none.total_s == 0, "nothing is zero");
	more = calls(200, 6);
	ok(timing_subtract(&more, &before) == -1 && is_near(more.calls, 200), "fewer than before: refused, and untouched");
	/* the clock was known less well then */
	before.tick_s *= 2;
	before.total_s *= 2;
	now = calls(1000, 10);
	ok(!timing_subtract(&now, &before) && now.total_s == 0, "ticks are compared, not what they were taken for");
	return done();
}
