/* sites.c: see sites.h. Call stacks that would read the same are one row, so that a screen of 20 lines says 20 different things. */
#include "inspect/model/sites.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/model/site_names.h"
#include "inspect/target/xalloc.h"

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

/* One row for each name; the name says which, as of this round. */
static struct site_row *gather(const struct snapshot *snap, struct site_names *names, uint64_t round, size_t *count)
{
	struct site_row *row = NULL;
	size_t n = 0;

	for (size_t i = 0; i < snap->nsites; i++) {
		const struct snap_site *site = &snap->site[i];
		if (!site->samples && !site->live_samples) continue;
		struct site_name *name = site_names_of(names, site->pc, site->depth);
		if (name->round != round) {
			if (!(n & (n - 1))) row = xreallocarray(row, n ? 2 * n : 1, sizeof *row);
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

/* A row that was not there before began at nothing. */
static void set_rates(struct sites *out, const struct site_row *before, uint64_t round, double seconds)
{
	for (size_t i = 0; i < out->n; i++) {
		struct site_row *r = &out->row[i];
		double bytes = r->total.alloc_bytes, objects = r->total.alloc_objects;
		if (before && r->name->round == round) {
			bytes -= before[r->name->row].total.alloc_bytes;
			objects -= before[r->name->row].total.alloc_objects;
		}
		r->bytes_per_s = bytes > 0 ? bytes / seconds : 0;
		r->objects_per_s = objects > 0 ? objects / seconds : 0;
		out->bytes_per_s += r->bytes_per_s;
		out->objects_per_s += r->objects_per_s;
	}
}

void sites_make(struct sites *out, const struct snapshot *now, const struct snapshot *before, double interval_s, struct site_names *names)
{
	static uint64_t rounds;         /* unlike that of any name of before */
	uint64_t round = __atomic_add_fetch(&rounds, 2, __ATOMIC_RELAXED);

	*out = (struct sites){ 0 };
	out->row = gather(now, names, round, &out->n);
	for (size_t i = 0; i < out->n; i++) {
		struct site_row *r = &out->row[i];
		out->live_bytes += r->total.live_bytes;
		r->life_s = snapshot_median_lifetime(now, &r->total);
		r->bytes_per_s = r->objects_per_s = -1;
	}
	/* a reset between the two: what is counted now began somewhere in the interval */
	if (before && before->epoch != now->epoch) before = NULL, interval_s = 0;
	if (before && interval_s > 0) {
		size_t nold;
		struct site_row *old = gather(before, names, round + 1, &nold);
		out->interval_s = interval_s;
		set_rates(out, old, round + 1, interval_s);
		free(old);
	} else if (now->epoch == 0 && now->age_s > 0) {
		set_rates(out, NULL, 0, now->age_s);
	} else {
		out->bytes_per_s = out->objects_per_s = -1;
	}
	if (out->n) qsort(out->row, out->n, sizeof *out->row, by_live);
}

void sites_free(struct sites *s)
{
	free(s->row);
	*s = (struct sites){ 0 };
}
