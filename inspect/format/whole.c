/* whole.c: see whole.h. */
#include "inspect/format/whole.h"

#include <math.h>
#include <stdlib.h>

#include "inspect/model/profile.h"
#include "inspect/target/xalloc.h"

struct remainder { double fraction; size_t index; };

int64_t whole_number(double v)
{
	if (isnan(v)) return 0;
	if (v >= 0x1p63) return INT64_MAX;
	if (v <= -0x1p63) return INT64_MIN;
	return (int64_t)round(v);
}

static int by_fraction(const void *x, const void *y)
{
	const struct remainder *a = x, *b = y;
	if (a->fraction != b->fraction) return a->fraction > b->fraction ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

int64_t *whole_values(const struct profile *p, unsigned type)
{
	size_t n = p->nsamples;
	int64_t *value = xcalloc(n, sizeof *value);
	struct remainder *rest = xcalloc(n, sizeof *rest);
	double sum = 0;
	for (size_t i = 0; i < n; i++) {
		double v = p->sample[i].value[type], down = floor(v);
		value[i] = whole_number(down);
		rest[i].fraction = isfinite(v) ? v - down : 0;
		rest[i].index = i;
		sum += rest[i].fraction;
	}
	if (n) qsort(rest, n, sizeof *rest, by_fraction);
	/* the fractions alone are summed: large totals would swallow them. Those lifted have a fraction: sum is at most their number */
	size_t lift = (size_t)whole_number(sum);
	for (size_t i = 0; i < n && i < lift; i++)
		if (value[rest[i].index] < INT64_MAX) value[rest[i].index]++;
	free(rest);
	return value;
}
