/* trend.c: see trend.h. Kendall 1975; Sen 1968 for the interval. */
#include "inspect/verdict/trend.h"

#include <math.h>
#include <stdlib.h>

#include "inspect/target/xalloc.h"

enum { EXACT_MAX = 10 };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of n! orders without ties, how many have a sum of signs of at least s: counted by the number of inversions. */
static double exact(size_t n, double s)
{
	double ways[EXACT_MAX * (EXACT_MAX - 1) / 2 + 1] = { 1 }, all = 0, tail = 0;
	size_t pairs = n * (n - 1) / 2, reach = 0;

	for (size_t k = 2; k <= n; k++) {
		double next[sizeof ways / sizeof *ways] = { 0 };
		reach += k - 1;
		for (size_t i = 0; i <= reach; i++)
			for (size_t j = 0; j < k && j <= i; j++) next[i] += ways[i - j];
		for (size_t i = 0; i <= reach; i++) ways[i] = next[i];
	}
	for (size_t i = 0; i <= pairs; i++) {
		all += ways[i];
		if ((double)pairs - 2 * (double)i >= s) tail += ways[i];
	}
	return tail / all;
}

/* Variance of the sum of signs, with what ties take from it. y is sorted. */
static double variance(const double *y, size_t n)
{
	double m = (double)n, v = m * (m - 1) * (2 * m + 5);

	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && !(y[k] > y[i]); k++) ;
		double t = (double)(k - i);
		v -= t * (t - 1) * (2 * t + 5);
	}
	return v / 18;
}

struct trend trend_of(const double *x, const double *y, size_t n)
{
	struct trend t = { .slope = NAN, .low = NAN, .high = NAN, .p = 1 };
	double px[TREND_MAX], py[TREND_MAX], s = 0, up = 0;
	size_t pairs = 0;

	for (size_t i = 0; i < n && t.n < TREND_MAX; i++)
		if (!isnan(y[i])) px[t.n] = x[i], py[t.n++] = y[i];
	if (t.n < 2) return t;
	double *slope = xcalloc(t.n * (t.n - 1) / 2, sizeof *slope);
	for (size_t i = 0; i < t.n; i++)
		for (size_t k = i + 1; k < t.n; k++) {
			s += (py[k] > py[i]) - (py[k] < py[i]);
			if (px[k] > px[i]) slope[pairs++] = (py[k] - py[i]) / (px[k] - px[i]);
		}
	for (size_t i = 1; i < t.n; i++) up += py[i] > py[i - 1];
	t.rises = up / (double)(t.n - 1);
	qsort(slope, pairs, sizeof *slope, ascending);
	if (pairs) t.slope = pairs & 1 ? slope[pairs / 2] : (slope[pairs / 2 - 1] + slope[pairs / 2]) / 2;
	qsort(py, t.n, sizeof *py, ascending);
	double v = variance(py, t.n);
	if (pairs && t.n >= 4) {
		double half = 1.96 * sqrt(v);
		long low = lround(((double)pairs - half) / 2), high = lround(((double)pairs + half) / 2) - 1;
		t.low = slope[low < 0 ? 0 : low];
		t.high = slope[high >= (long)pairs ? (long)pairs - 1 : high];
		/* flat all the way: nothing rises */
		if (v > 0) t.p = t.n <= EXACT_MAX ? exact(t.n, s) : 0.5 * erfc((s - (s > 0) + (s < 0)) / sqrt(2 * v));
	}
	free(slope);
	return t;
}
