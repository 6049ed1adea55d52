/* growth.c: see growth.h. */
#include "inspect/verdict/growth.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"

enum { PAGE = 4096 };

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof *v, ascending);
	return n ? n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2 : NAN;
}

/* How far the points lie from the line, robustly: as a standard deviation. */
static double spread(const double *x, const double *y, size_t n, double slope)
{
	double r[FACTS_MOMENTS], copy[FACTS_MOMENTS], mid;
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!isnan(y[i])) r[k++] = y[i] - slope * x[i];
	memcpy(copy, r, sizeof *r * k);
	mid = median(copy, k);
	for (size_t i = 0; i < k; i++) r[i] = fabs(r[i] - mid);
	return 1.4826 * median(r, k);
}

static void line_of(const double *x, const double *y, size_t n, double watch, struct growth_line *out)
{
	double first = NAN;

	*out = (struct growth_line){ .trend = trend_of(x, y, n), .rise = NAN, .level = NAN };
	for (size_t i = 0; i < n; i++)
		if (!isnan(y[i])) out->level = y[i], first = isnan(first) ? y[i] : first;
	if (out->trend.n < 2) return;
	if (out->trend.n < GROWTH_POINTS) {
		out->rise = out->level - first;
		return;
	}
	out->rise = out->trend.slope * watch;
	size_t half = n / 2;
	struct trend late = trend_of(x + half, y + half, n - half);
	out->steady = out->trend.p < GROWTH_P && out->trend.low > 0 && out->rise >= GROWTH_BYTES && out->rise >= GROWTH_SHARE * out->level &&
	              out->rise > GROWTH_NOISE * spread(x, y, n, out->trend.slope) && (late.n < 3 || late.slope > GROWTH_LATE * out->trend.slope);
}

static void figure(const struct facts *f, const double *at, size_t offset, struct growth_line *out)
{
	double y[FACTS_MOMENTS];

	for (size_t i = 0; i < f->nseries; i++) memcpy(&y[i], (const char *)&f->series[i] + offset, sizeof y[i]);
	line_of(at, y, f->nseries, f->watch_s, out);
}

void growth_of(const struct facts *f, struct growth *g)
{
	double at[FACTS_MOMENTS];

	for (size_t i = 0; i < f->nseries; i++) at[i] = f->series[i].at;
	figure(f, at, offsetof(struct facts_moment, rss), &g->rss);
	figure(f, at, offsetof(struct facts_moment, live), &g->live);
	figure(f, at, offsetof(struct facts_moment, held_free), &g->held);
	g->other_rise = g->rss.rise - g->live.rise - g->held.rise;
	g->tested = g->rss.trend.n >= GROWTH_POINTS;
	/* a heap that is dear to read was read at both ends only: it grows when the resident memory does, and by about as much */
	if (g->live.trend.n >= 2 && g->live.trend.n < GROWTH_POINTS)
		g->live.steady = g->rss.steady && g->live.rise > 0.5 * g->rss.rise && g->live.rise >= GROWTH_BYTES;
}

void growth_of_site(const struct facts *f, const struct facts_site *s, struct growth_line *out)
{
	double at[FACTS_MOMENTS];

	for (size_t i = 0; i < f->nseries; i++) at[i] = f->series[i].at;
	line_of(at, s->live_at, f->nseries, f->watch_s, out);
}

/* What of the pages that were faulted in is growth. With huge pages a fault brings more than its page; NAN: not known. */
static double kept_of_faults(const struct facts *f, const struct growth *g)
{
	double faults = facts_rate(f, offsetof(struct facts_moment, minor_faults)) * f->watch_s;

	return faults > 0 ? fmin(fmax(g->rss.rise, 0) / (faults * PAGE), 1) : NAN;
}

void growth_from_faults(const struct facts *f, const struct growth *g, unsigned part, struct finding *x)
{
	static const double least = 0.1;
	double kept = kept_of_faults(f, g);

	for (size_t i = 0; i < f->nfaults && i < 3 && f->fault[i].share >= least; i++)
		finding_say(x, part, "%s: the first to touch %.0f %% of the pages that came, by page faults", f->fault[i].stack, 100 * f->fault[i].share);
	if (f->nfaults && !isnan(kept)) finding_say(x, FINDING_EVIDENCE, "of the pages that came %.0f %% are growth of RSS%s", 100 * kept, kept < 0.5 ? ": most were given back meanwhile" : "");
}
