/* sites.c: see sites.h. A call stack is named by its function of interest and that one's caller; then rows that would read the
 * same are made one, so that a screen of 20 lines says 20 different things. */
#include "inspect/model/sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/symbol/plumbing.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"

enum { INLINES_MAX = 16 };

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

struct names { char *function, *caller, *innermost; };

/* One frame outwards. Returns non-zero when both names are known. */
static int take(struct names *n, const char *name, int plumbing)
{
	if (!*name) return 0;
	if (!n->innermost) n->innermost = xstrdup(name);
	if (!n->function) {
		if (!plumbing) n->function = xstrdup(name);
		return 0;
	}
	/* recursion is no caller */
	if (strcmp(name, n->function)) n->caller = xstrdup(name);
	return n->caller != NULL;
}

static void take_address(char buf[128], const struct symbol_module *m, uint64_t addr)
{
	if (m) snprintf(buf, 128, "%.90s+0x%" PRIx64, base_name(m->path), addr - m->bias);
	else snprintf(buf, 128, "0x%" PRIx64, addr);
}

static void name_site(struct site_row *row, const struct snap_site *site, struct symbolizer *s)
{
	struct symbol_frame frame[INLINES_MAX];
	struct names names = { 0 };
	char address[128];
	int done = 0;

	for (unsigned i = 0; i < site->depth && !done; i++) {
		uint64_t addr = site->pc[i] - 1;
		const struct symbol_module *m = symbol_module_of(s, addr);
		int plumbing = m && plumbing_module(m->path);
		size_t n = symbol_lookup(s, addr, frame, INLINES_MAX);
		for (size_t k = 0; k < n && !done; k++)
			done = take(&names, frame[k].function, plumbing || plumbing_function(frame[k].function));
		if (n && frame[0].function[0]) continue;
		take_address(address, m, addr);
		if (!done) done = take(&names, address, plumbing);
	}
	row->function = names.function ? names.function : names.innermost ? names.innermost : xstrdup("[stack not recorded]");
	row->caller = names.caller ? names.caller : xstrdup("");
	if (names.innermost != row->function) free(names.innermost);
	plain_text(row->function);
	plain_text(row->caller);
}

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

static void free_row(struct site_row *r)
{
	free(r->function);
	free(r->caller);
}

/* Rows in the order of their names, each name once. */
static struct site_row *gather(const struct snapshot *snap, struct symbolizer *s, size_t *count)
{
	struct site_row *row = xcalloc(snap->nsites + 1, sizeof *row);
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < snap->nsites; i++) {
		const struct snap_site *site = &snap->site[i];
		if (!site->samples && !site->live_samples) continue;
		name_site(&row[n], site, s);
		add_site(&row[n].total, site);
		row[n++].stacks = 1;
	}
	qsort(row, n, sizeof *row, by_name);
	for (size_t i = 0; i < n; i++) {
		if (kept && !by_name(&row[kept - 1], &row[i])) {
			add_site(&row[kept - 1].total, &row[i].total);
			row[kept - 1].stacks++;
			free_row(&row[i]);
		} else {
			row[kept++] = row[i];
		}
	}
	*count = kept;
	return row;
}

/* Both in the order of names. A row that was not there before began at nothing. */
static void set_rates(struct sites *out, struct site_row *before, size_t nbefore, double seconds)
{
	size_t k = 0;

	for (size_t i = 0; i < out->n; i++) {
		struct site_row *r = &out->row[i];
		double bytes = r->total.alloc_bytes, objects = r->total.alloc_objects;
		while (k < nbefore && by_name(&before[k], r) < 0) k++;
		if (k < nbefore && !by_name(&before[k], r)) {
			bytes -= before[k].total.alloc_bytes;
			objects -= before[k].total.alloc_objects;
		}
		r->bytes_per_s = bytes > 0 ? bytes / seconds : 0;
		r->objects_per_s = objects > 0 ? objects / seconds : 0;
		out->bytes_per_s += r->bytes_per_s;
		out->objects_per_s += r->objects_per_s;
	}
}

void sites_make(struct sites *out, const struct snapshot *now, const struct snapshot *before, double interval_s, struct symbolizer *s)
{
	struct site_row *old = NULL;
	size_t nold = 0;

	*out = (struct sites){ 0 };
	out->row = gather(now, s, &out->n);
	for (size_t i = 0; i < out->n; i++) {
		struct site_row *r = &out->row[i];
		out->live_bytes += r->total.live_bytes;
		r->life_s = snapshot_median_lifetime(now, &r->total);
		r->bytes_per_s = r->objects_per_s = -1;
	}
	/* a reset between the two: what is counted now began somewhere in the interval */
	if (before && before->epoch != now->epoch) before = NULL, interval_s = 0;
	if (before && interval_s > 0) {
		old = gather(before, s, &nold);
		out->interval_s = interval_s;
		set_rates(out, old, nold, interval_s);
	} else if (now->epoch == 0 && now->age_s > 0) {
		set_rates(out, NULL, 0, now->age_s);
	} else {
		out->bytes_per_s = out->objects_per_s = -1;
	}
	for (size_t i = 0; i < nold; i++) free_row(&old[i]);
	free(old);
	qsort(out->row, out->n, sizeof *out->row, by_live);
}

void sites_free(struct sites *s)
{
	for (size_t i = 0; i < s->n; i++) free_row(&s->row[i]);
	free(s->row);
	*s = (struct sites){ 0 };
}
