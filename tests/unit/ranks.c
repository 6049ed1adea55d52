/* ranks.c: middle, spread, and Mann and Whitney's test against values from tables and from counting by hand. */
#include <math.h>
#include <stdlib.h>

#include "inspect/model/ranks.h"
#include "tests/tap.h"

static void spread(void)
{
	static const double odd[] = { 3, 1, 100, 2, NAN, 4 }, even[] = { 4, 1, 3, 2 }, one[] = { 7 };
	struct ranks_spread s = ranks_spread(odd, 6);

	ok(s.n == 5, "what is not known is left out");
	near(s.median, 3, "median");
	near(s.q1, 2, "first quartile");
	near(s.q3, 4, "third quartile");
	near(s.mad, 1, "a measurement far off does not move the deviation");
	ok(s.min <= 1 && s.max >= 100, "ends");
	s = ranks_spread(even, 4);
	near(s.median, 2.5, "median of an even number");
	near(s.q1, 1.75, "quartile between two");
	s = ranks_spread(one, 1);
	near(s.median, 7, "of one");
	near(s.mad, 0, "one has no spread");
	s = ranks_spread(one, 0);
	ok(!s.n && isnan(s.median) && isnan(s.mad), "of none: not known, not zero");
}

static void test(void)
{
	static const double low[] = { 1, 2, 3, 4, 5 }, high[] = { 6, 7, 8, 9, 10 }, same[] = { 5, 5, 5, 5, 5 };
	/* of the 20 ways to choose 3 of the ranks 1 to 6: 1+2+4=7 or less, and 14 or more, are 2 each */
	static const double x[] = { 1, 2, 4 }, y[] = { 3, 5, 6 };
	/* midranks 1.5 1.5 3.5 | 3.5 5 6: of 20 sums 6.5 or less: {1.5,1.5,3.5} twice; the other end 14.5: {3.5,5,6} twice */
	static const double tied[] = { 1, 1, 2 }, other[] = { 2, 3, 4 }, gap[] = { NAN, 1, 2, 3, NAN, 4, 5 };

	near(ranks_p(low, 5, high, 5), 2.0 / 252, "apart, five and five");
	near(ranks_p(high, 5, low, 5), 2.0 / 252, "the other way round");
	near(ranks_p(gap, 7, high, 5), 2.0 / 252, "what is not known does not count");
	near(ranks_p(x, 3, y, 3), 4.0 / 20, "overlapping, three and three");
	near(ranks_p(tied, 3, other, 3), 4.0 / 20, "equal ones share their ranks");
	near(ranks_p(same, 5, same, 5), 1, "all equal");
	/* ranks 1 2 3 4 5.5 | 5.5: left out may be 5.5, twice, or 1, which is as far at the other end */
	near(ranks_p(low, 5, same, 1), 3.0 / 6, "five and one that equals the last of them");
	ok(isnan(ranks_p(low, 0, high, 5)) && isnan(ranks_p(low, 5, high, 0)), "an empty side");
	near(ranks_p_least(3, 3), 0.1, "three and three can say 0.1 at least");
	near(ranks_p_least(4, 4), 2.0 / 70, "four and four");
	near(ranks_p_least(5, 5), 2.0 / 252, "five and five");
	near(ranks_p_least(1, 1), 1, "one and one say nothing");
}

/* The exact test and the approximation on both sides of the border between them. */
static void border(void)
{
	double a[30], b[30];

	for (int i = 0; i < 30; i++) a[i] = 2 * i, b[i] = 2 * i + 9;
	a[20] = 20;     /* in the middle of its own */
	double inside = ranks_p(a, 20, b, 20), beyond = ranks_p(a, 21, b, 20);
	ok(inside > 0 && inside < 1 && beyond > 0 && beyond < 1, "both are probabilities: %g, %g", inside, beyond);
	ok(fabs(inside - beyond) < 0.2 * inside, "and near each other");
	for (int i = 0; i < 30; i++) a[i] = 1, b[i] = 1;
	near(ranks_p(a, 30, b, 30), 1, "all equal, many");
	for (int i = 0; i < 30; i++) b[i] = 2;
	ok(ranks_p(a, 30, b, 30) < 1e-9, "apart, many");
}

/* What is said of series without a difference: at 0.05, one in twenty at most is called different. */
static void level(void)
{
	unsigned called = 0, series = 4000;

	srand(1);
	for (unsigned i = 0; i < series; i++) {
		double a[6], b[6];
		for (int k = 0; k < 6; k++) a[k] = rand() % 1000, b[k] = rand() % 1000;
		called += ranks_p(a, 6, b, 6) < 0.05;
	}
	/* exactly 0.0411 of them can be below, with 6 and 6 */
	ok(called > 0.03 * series && called < 0.053 * series, "%u of %u series of the same are called different", called, series);
}

int main(void)
{
	spread();
	test();
	border();
	level();
	return done();
}
