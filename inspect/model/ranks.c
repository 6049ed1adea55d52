/* ranks.c: see ranks.h. Mann and Whitney, Ann. Math. Statist. 18 (1947) 50. */
#include "inspect/model/ranks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/xalloc.h"

/* A measurement among those of both series. Ranks are doubled, so that the mean of two is whole. */
struct ranked { double v; int first; unsigned rank2; };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of ascending values. */
static double quantile(const double *v, unsigned n, double q)
{
	double at = q * (n - 1);
	unsigned below = (unsigned)at;

	return below + 1 < n ? v[below] + (at - below) * (v[below + 1] - v[below]) : v[n - 1];
}

struct ranks_spread ranks_spread(const double *v, unsigned n)
{
	struct ranks_spread s = { 0, NAN, NAN, NAN, NAN, NAN, NAN };
	double *known = xcalloc(n + 1, sizeof *known);

	for (unsigned i = 0; i < n; i++)
		if (!isnan(v[i])) known[s.n++] = v[i];
	if (s.n) {
		qsort(known, s.n, sizeof *known, by_value);
		s.median = quantile(known, s.n, 0.5);
		s.q1 = quantile(known, s.n, 0.25);
		s.q3 = quantile(known, s.n, 0.75);
		s.min = known[0];
		s.max = known[s.n - 1];
		for (unsigned i = 0; i < s.n; i++) known[i] = fabs(known[i] - s.median);
		qsort(known, s.n, sizeof *known, by_value);
		s.mad = quantile(known, s.n, 0.5);
	}
	free(known);
	return s;
}

static unsigned take(struct ranked *r, unsigned n, const double *v, unsigned count, int first)
{
	for (unsigned i = 0; i < count; i++)
		if (!isnan(v[i])) r[n++] = (struct ranked){ v[i], first, 0 };
	return n;
}

/* Ranks them; those that are equal share the mean of their ranks. Returns the sum of t^3 - t over the groups of equal ones. */
static double rank(struct ranked *r, unsigned n)
{
	double ties = 0;

	qsort(r, n, sizeof *r, by_value);
	for (unsigned i = 0, j; i < n; i = j) {
		for (j = i; j < n && r[j].v <= r[i].v; j++) {}
		for (unsigned k = i; k < j; k++) r[k].rank2 = i + 1 + j;
		double t = j - i;
		ties += t * t * t - t;
	}
	return ties;
}

/* Of all ways to choose `na` of the ranks, the share whose sum is at least as far from the mean as w2. */
static double exact(const struct ranked *r, unsigned n, unsigned na, unsigned w2)
{
	unsigned top = n * (n + 1), mean2 = na * (n + 1);
	double *ways = xcalloc((size_t)(na + 1) * (top + 1), sizeof *ways), all = 0, far = 0;

	ways[0] = 1;
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = na; k > 0; k--)
			for (unsigned s = top; s >= r[i].rank2; s--)
				ways[k * (top + 1) + s] += ways[(k - 1) * (top + 1) + s - r[i].rank2];
	for (unsigned s = 0; s <= top; s++) {
		double w = ways[na * (top + 1) + s];
		all += w;
		if (abs((int)s - (int)mean2) >= abs((int)w2 - (int)mean2)) far += w;
	}
	free(ways);
	return far / all;
}

static double approximate(unsigned na, unsigned nb, double w2, double ties)
{
	double n = na + nb, deviation = fabs(w2 / 2 - na * (n + 1) / 2) - 0.5;
	double variance = (double)na * nb / 12 * (n + 1 - ties / (n * (n - 1)));

	return variance > 0 && deviation > 0 ? erfc(deviation / sqrt(variance) / M_SQRT2) : 1;
}

double ranks_p(const double *a, unsigned na, const double *b, unsigned nb)
{
	struct ranked *r = xcalloc((size_t)na + nb + 1, sizeof *r);
	unsigned ka = take(r, 0, a, na, 1), n = take(r, ka, b, nb, 0), w2 = 0;
	double ties = rank(r, n), p = NAN;

	for (unsigned i = 0; i < n; i++) w2 += r[i].first ? r[i].rank2 : 0;
	if (ka && n > ka) p = n <= RANKS_EXACT ? exact(r, n, ka, w2) : approximate(ka, n - ka, w2, ties);
	free(r);
	return p;
}

double ranks_p_least(unsigned na, unsigned nb)
{
	double ways = 1;

	for (unsigned i = 1; i <= na; i++) ways *= (double)(nb + i) / i;
	return fmin(1, 2 / ways);
}
