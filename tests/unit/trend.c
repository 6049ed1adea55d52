/* trend.c: Mann and Kendall's test and Sen's slope against cases counted by hand, and against noise. */
#include <math.h>
#include <stdlib.h>

#include "inspect/verdict/trend.h"
#include "tests/tap.h"

static void by_hand(void)
{
	static const double x[] = { 0, 1, 2, 3, 4 }, up[] = { 1, 2, 3, 4, 5 }, down[] = { 5, 4, 3, 2, 1 }, flat[] = { 3, 3, 3, 3, 3 }, one_back[] = { 1, 2, 4, 3, 5 }, gap[] = { 1, NAN, 3, 4, 5 };
	struct trend t = trend_of(x, up, 5);

	near(t.slope, 1, "slope of a line");
	near(t.p, 1.0 / 120, "one of the 120 orders of five rises all the way");
	near(t.rises, 1, "each step goes up");
	t = trend_of(x, one_back, 5);
	/* no inversion: 1 order; one inversion: 4 */
	near(t.p, 5.0 / 120, "one inversion");
	t = trend_of(x, down, 5);
	near(t.p, 1, "falling: each order is at least as high");
	near(t.slope, -1, "slope downwards");
	t = trend_of(x, flat, 5);
	near(t.p, 1, "flat is no growth");
	near(t.slope, 0, "slope of flat");
	t = trend_of(x, gap, 5);
	ok(t.n == 4, "what is not known is left out");
	near(t.slope, 1, "slope across the gap");
	near(t.p, 1.0 / 24, "four");
	t = trend_of(x, up, 1);
	ok(isnan(t.slope) && t.p >= 1, "one point has no slope");
	t = trend_of(x, up, 3);
	ok(t.p >= 1 && t.slope > 0, "three points prove nothing");
}

static double draw(unsigned long *s)
{
	*s = *s * 6364136223846793005ul + 1442695040888963407ul;
	return (double)(*s >> 33) / 0x1p31;
}

static void noise(void)
{
	double x[21], y[21];
	unsigned long s = 1;
	int called = 0, covered = 0, found = 0;

	for (int k = 0; k < 2000; k++) {
		for (int i = 0; i < 21; i++) x[i] = i, y[i] = draw(&s);
		called += trend_of(x, y, 21).p < 0.01;
		for (int i = 0; i < 21; i++) y[i] += 0.1 * i;
		struct trend t = trend_of(x, y, 21);
		covered += t.low <= 0.1 && t.high >= 0.1;
		found += t.p < 0.01;
	}
	ok(called < 40, "of 2000 series of noise about 20 seem to rise at p < 0.01: %d", called);
	ok(covered > 1840, "the interval holds the slope in 95 of 100: %d of 2000", covered);
	ok(found > 1980, "a rise of twice the noise is found: %d of 2000", found);
	for (int i = 0; i < 21; i++) y[i] = i;
	y[10] = 1e9;
	near(trend_of(x, y, 21).slope, 1, "a point that is far off moves nothing");
}

int main(void)
{
	by_hand();
	noise();
	return done();
}
