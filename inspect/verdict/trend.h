/* trend.h: does a series grow, and how surely? Mann-Kendall's test says whether, Theil and Sen's slope how fast; neither minds noise of any shape,
 * nor single points that are far off. */
#ifndef ALLOCTOP_TREND_H
#define ALLOCTOP_TREND_H

#include <stddef.h>

struct trend {
	size_t n;               /* points used: those that are not NAN */
	double slope;           /* median of the slopes between all pairs, per unit of x */
	double low, high;       /* its 95 % confidence interval */
	double p;               /* one-sided: how often a series without growth would rise like this; 1 when there are fewer than 4 points */
	double rises;           /* share of steps between neighbours that go up */
};

enum { TREND_MAX = 256 };

/* At most TREND_MAX points, the rest is left out. x ascending. */
struct trend trend_of(const double *x, const double *y, size_t n);

#endif
