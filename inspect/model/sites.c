/* sites.c: see sites.h. Call stacks that would read the same are one row, so that a screen of 20 lines says 20 different things. */
#include "inspect/model/sites.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/site_names.h"
#include "inspect/target/xalloc.h"

enum { FEW = 10 };     /* samples, of which a sum is a third off */

static void add_site(struct snap_site *to, const struct snap_site *s)
{
	if (s->live_bytes > to->live_bytes || !to->pc) to->pc = s->pc, to->depth = s->depth, to->cut = s->cut;
	snapshot_site_add(to, s);
}

static int by_name(const void *a, const void *b)
{
	const struct site_row *x = a, *y = b;
	int c = strcmp(x->function, y->function);

	return c ? c : strcmp(x->caller, y->caller);
}

/* Equal rows keep the order of their names, so that two runs over one segment read the same. */
static int by_live(const void *a, const void *b)
{
	const struct site_row *x = a, *y = b;

	if (x->total.live_bytes != y->total.live_bytes) return x->total.live_bytes < y->total.live_bytes ? 1 : -1;
	if (x->total.alloc_bytes != y->total.alloc_bytes) return x->total.alloc_bytes < y->total.alloc_bytes ? 1 : -1;
	return by_name(a, b);
}

static int is_empty(const struct snap_site *s) { return !s->samples && !s->live_samples; }

/* One row for each name; the name says which, as of this round. Room for all at once: what is not needed is never touched. */
static struct site_row *gather(const struct snapshot *snap, struct site_names *names, uint64_t round, size_t *count)
{
	struct site_row *row = xmalloc((snap->nsites + 1) * sizeof *row);
	size_t n = 0;

	for (size_t i = 0; i < snap->nsites; i++) {
		const struct snap_site *site = &snap->site[i];
		if (is_empty(site)) continue;
		struct site_name *name = site_names_of(names, site->pc, site->depth);
		if (name->round != round) {
			name->round = round;
			name->row = n;
			row[n++] = (struct site_row){ .function = name->function, .caller = name->caller, .name = name };
		}
		add_site(&row[name->row].total, site);
		row[name->row].stacks++;
	}
	*count = n;
	return row;
}

struct past { double bytes, objects; uint64_t samples; };

/* What the rows had allocated before, by the place they have now, and the variance of all. */
static struct past *look_back(const struct snapshot *before, struct site_names *names, uint64_t round, size_t n, double *variance)
{
	struct past *past = xcalloc(n + 1, sizeof *past);

	for (size_t i = 0; i < before->nsites; i++) {
		const struct snap_site *site = &before->site[i];
		if (is_empty(site)) continue;
		struct site_name *name = site_names_of(names, site->pc, site->depth);
		if (name->round != round) continue;
		past[name->row].bytes += site->alloc_bytes;
		past[name->row].objects += site->alloc_objects;
		past[name->row].samples += site->samples;
		*variance -= site->alloc_variance;
	}
	return past;
}

/* Where not every block is a sample, none says nothing of how little was allocated. */
static void set_rate(struct site_row *r, const struct past *past, double seconds, int exact)
{
	double bytes = r->total.alloc_bytes - past->bytes, objects = r->total.alloc_objects - past->objects;

	r->rate_samples = r->total.samples > past->samples ? r->total.samples - past->samples : 0;
	r->bytes_per_s = bytes > 0 ? bytes / seconds : 0;
	r->objects_per_s = objects > 0 ? objects / seconds : 0;
	if (!r->rate_samples && !exact) r->bytes_per_s = r->objects_per_s = -1;
}

/* past NULL: each row began at nothing. */
static void set_rates(struct sites *out, const struct past *past, double variance, double seconds, int exact)
{
	static const struct past nothing;

	for (size_t i = 0; i < out->n; i++) {
		struct site_row *r = &out->row[i];
		set_rate(r, past ? &past[i] : &nothing, seconds, exact);
		if (r->bytes_per_s < 0) continue;
		out->bytes_per_s += r->bytes_per_s;
		out->objects_per_s += r->objects_per_s;
	}
	out->rate_error = variance > 0 ? sqrt(variance) / seconds : 0;
}

static int is_exact(const struct snapshot *s) { return s->rate <= 1; }

/* Unlike that of any name of before. */
static uint64_t new_round(void)
{
	static uint64_t rounds;

	return __atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED);
}

void sites_make(struct sites *out, const struct snapshot *now, const struct snapshot *before, double interval_s, struct site_names *names)
{
	uint64_t round = new_round();
	double variance = 0;

	*out = (struct sites){ 0 };
	out->row = gather(now, names, round, &out->n);
	for (size_t i = 0; i < out->n; i++) {
		struct site_row *r = &out->row[i];
		out->live_bytes += r->total.live_bytes;
		variance += r->total.alloc_variance;
		r->life_s = snapshot_median_lifetime(now, &r->total);
		r->bytes_per_s = r->objects_per_s = -1;
	}
	/* a reset between the two: what is counted now began somewhere in the interval */
	if (before && before->epoch != now->epoch) before = NULL, interval_s = 0;
	if (!now->running) {
		out->bytes_per_s = out->objects_per_s = -1;
	} else if (before && interval_s > 0) {
		struct past *past = look_back(before, names, round, out->n, &variance);
		out->interval_s = interval_s;
		set_rates(out, past, variance, interval_s, is_exact(now));
		free(past);
	} else if (now->epoch == 0 && now->age_s > 0) {
		set_rates(out, NULL, variance, now->age_s, is_exact(now));
	} else {
		out->bytes_per_s = out->objects_per_s = -1;
	}
	if (out->n) qsort(out->row, out->n, sizeof *out->row, by_live);
}

void sites_look_back(struct sites *s, const struct snapshot *now, const struct snapshot *before, double seconds, struct site_names *names)
{
	uint64_t round = new_round();
	size_t few = 0;
	double unused = 0;

	if (!now->running || is_exact(now) || before->epoch != now->epoch || !(seconds > 0)) return;
	for (size_t i = 0; i < s->n; i++) {
		s->row[i].name->round = round;
		s->row[i].name->row = i;
		few += s->row[i].rate_samples < FEW;
	}
	if (!few) return;
	struct past *past = look_back(before, names, round, s->n, &unused);
	for (size_t i = 0; i < s->n; i++)
		if (s->row[i].rate_samples < FEW) set_rate(&s->row[i], &past[i], seconds, 0);
	free(past);
}

void sites_free(struct sites *s)
{
	free(s->row);
	*s = (struct sites){ 0 };
}
