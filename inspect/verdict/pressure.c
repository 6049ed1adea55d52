/* pressure.c: see pressure.h. */
#include "inspect/verdict/pressure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"

enum { STACKS = 3 };

/* An unknown figure adds nothing, and known ones make the sum known. */
static void add(double *sum, double v)
{
	if (v != LOCK_UNKNOWN && !isnan(v)) *sum = isnan(*sum) ? v : *sum + v;
}

static double worth(const struct facts_lock *l)
{
	double lost = l->row->lost_s_per_s.value;

	return lost != LOCK_UNKNOWN ? lost : 0;
}

void pressure_of(const struct facts *f, const char *allocator, const char *name, struct pressure *out)
{
	*out = (struct pressure){ .lost = NAN, .waits = NAN, .held = NAN, .contended = NAN };
	for (size_t i = 0; i < f->nlocks; i++) {
		const struct facts_lock *l = &f->lock[i];
		if (strncmp(l->row->allocator, allocator, strlen(allocator)) || strncmp(l->row->name, name, strlen(name))) continue;
		add(&out->lost, l->row->lost_s_per_s.value);
		add(&out->waits, l->row->waits_per_s.value);
		add(&out->held, l->row->utilisation.value);
		if (l->row->contended.value != LOCK_UNKNOWN) out->contended = fmax(out->contended, l->row->contended.value);
		if (!out->worst || worth(l) > worth(out->worst)) out->worst = l;
		out->nlocks++;
	}
}

char *pressure_text(const struct pressure *p, char *buf, size_t n)
{
	char count[UNITS_MAX];
	size_t at = 0;

	*buf = 0;
	if (!isnan(p->lost)) at += (size_t)snprintf(buf, n, "%.2f thread-seconds waited per second", p->lost);
	if (!isnan(p->waits) && at < n) at += (size_t)snprintf(buf + at, n - at, "%s%s waits per second", at ? ", " : "", units_count(p->waits, count));
	if (!isnan(p->held) && at < n) at += (size_t)snprintf(buf + at, n - at, "%sheld %.0f %% of the time", at ? ", " : "", p->held * 100);
	if (!isnan(p->contended) && at < n) snprintf(buf + at, n - at, "%scontended in %.0f %% of looks", at ? ", " : "", p->contended * 100);
	return buf;
}

void pressure_from(const struct pressure *p, struct finding *f)
{
	for (size_t i = 0; p->worst && i < p->worst->nfrom && i < STACKS; i++)
		finding_say(f, FINDING_FROM, "%s (%.0f %%)", p->worst->from[i].stack, p->worst->from[i].share * 100);
}
