/* collect_agent.c: see collect_agent.h. Rows are followed through the watch by their names: a function and its caller. */
#include "inspect/verdict/collect_agent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/client/agent.h"
#include "inspect/model/site_names.h"
#include "inspect/model/sites.h"
#include "inspect/model/snapshot.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/slots.h"
#include "inspect/verdict/where.h"

/* One row at one moment. */
struct seen { const char *function, *caller; double live; };
struct moment { struct seen *row; size_t n; int known; };

struct collect_agent {
	pid_t pid;
	struct agent *agent;
	struct symbolizer *symbols; size_t nmodules;
	struct site_names *names;
	struct snapshot first, last; int have_first, have_last;
	struct moment moment[FACTS_MOMENTS];
};

static int by_name(const void *x, const void *y)
{
	const struct seen *a = x, *b = y;
	int c = strcmp(a->function, b->function);

	return c ? c : strcmp(a->caller, b->caller);
}

static void symbols_for(struct collect_agent *a, const struct snapshot *s)
{
	struct symbol_options o = { .pid = a->pid };
	struct err e;

	if (a->symbols && a->nmodules == s->nmodules) return;
	site_names_free(a->names);
	symbol_close(a->symbols);
	a->symbols = symbol_open(s->module, s->nmodules, &o, &e);
	a->names = site_names_new(a->symbols);
	a->nmodules = s->nmodules;
}

static void drop(struct moment *m)
{
	for (size_t k = 0; k < m->n; k++) free((void *)(uintptr_t)m->row[k].function), free((void *)(uintptr_t)m->row[k].caller);
	free(m->row);
	*m = (struct moment){ 0 };
}

/* After a reset everything before it speaks of other samples. */
static void forget(struct collect_agent *a, size_t n)
{
	for (size_t i = 0; i < n; i++) drop(&a->moment[i]);
	if (a->have_first) snapshot_free(&a->first);
	a->have_first = 0;
}

static void keep(struct collect_agent *a, struct moment *m, const struct snapshot *s)
{
	struct sites sites;

	sites_make(&sites, s, NULL, 0, a->names);
	m->known = 1;
	m->row = xcalloc(sites.n + 1, sizeof *m->row);
	for (size_t i = 0; i < sites.n; i++) {
		struct site_row *r = &sites.row[i];
		m->row[m->n++] = (struct seen){ xstrdup(r->function), xstrdup(r->caller), r->total.live_bytes };
	}
	qsort(m->row, m->n, sizeof *m->row, by_name);
	sites_free(&sites);
}

/* Its sites are named once before anything is timed: the first names are dear. */
static void warm_up(struct collect_agent *a)
{
	struct moment m = { 0 };
	struct snapshot s;
	struct err e;

	if (agent_snapshot(a->agent, &s, &e)) return;
	symbols_for(a, &s);
	keep(a, &m, &s);
	drop(&m);
	snapshot_free(&s);
}

struct collect_agent *collect_agent_begin(pid_t pid, struct facts *f)
{
	struct collect_agent *a = xcalloc(1, sizeof *a);
	struct err e;

	a->pid = pid;
	if (!agent_open(pid, &a->agent, &e)) {
		warm_up(a);
		return a;
	}
	snprintf(f->agent_group.why, sizeof f->agent_group.why, "%.230s", e.text);
	free(a);
	return NULL;
}

void collect_agent_moment(struct collect_agent *a, size_t i)
{
	struct snapshot s;
	struct err e;

	if (!a || i >= FACTS_MOMENTS || agent_snapshot(a->agent, &s, &e)) return;
	symbols_for(a, &s);
	if (a->have_last && a->last.epoch != s.epoch) forget(a, i);
	keep(a, &a->moment[i], &s);
	if (a->have_last && a->have_first) snapshot_free(&a->last);
	else if (a->have_last) a->first = a->last, a->have_first = 1;
	a->last = s;
	a->have_last = 1;
	if (a->have_first && a->first.epoch != s.epoch) snapshot_free(&a->first), a->have_first = 0;
}

static void fill_site(struct facts_site *out, struct collect_agent *a, const struct site_row *r, double rounding)
{
	const struct snap_site *t = &r->total;
	struct seen key = { .function = r->function, .caller = r->caller };

	*out = (struct facts_site){ .function = xstrdup(r->function), .caller = xstrdup(r->caller), .samples = (double)t->samples, .live_samples = (double)t->live_samples };
	out->stack = where_words(a->symbols, t->pc, t->depth, 0, 1);
	out->live = t->live_bytes;
	out->live_error = sqrt(t->live_variance);
	out->live_objects = t->live_objects;
	out->bytes_per_s = r->bytes_per_s < 0 ? NAN : r->bytes_per_s;
	out->objects_per_s = r->objects_per_s < 0 ? NAN : r->objects_per_s;
	out->size = t->alloc_objects > 0 ? t->alloc_bytes / t->alloc_objects : NAN;
	out->life_s = r->life_s < 0 ? NAN : r->life_s;
	out->freed_share = t->alloc_objects > 0 ? fmin(t->freed_objects / t->alloc_objects, 1) : NAN;
	out->remote_share = t->freed_bytes > 0 ? fmin(t->remote_bytes / t->freed_bytes, 1) : NAN;
	out->rounding = isnan(rounding) ? NAN : t->live_rounding;
	for (size_t i = 0; i < FACTS_MOMENTS; i++) {
		const struct moment *m = &a->moment[i];
		const struct seen *seen = m->known && m->n ? bsearch(&key, m->row, m->n, sizeof key, by_name) : NULL;
		out->live_at[i] = seen ? seen->live : m->known ? 0 : NAN;
	}
}

/* By the classes of the allocator that the program uses: the agent's samples are of what goes through malloc. */
static void rounding(struct collect_agent *a, struct facts *f)
{
	const struct heap_allocator *of = f->heap.nallocators ? &f->heap.allocator[0] : NULL;

	f->agent_rounding = NAN;
	if (!of || !of->in_use || slots_fill(&a->last, of)) return;
	f->agent_rounding = 0;
	for (size_t i = 0; i < a->last.nsites; i++) f->agent_rounding += a->last.site[i].live_rounding;
}

void collect_agent_end(struct collect_agent *a, struct facts *f)
{
	struct sites sites;
	const char *text;

	if (!a) return;
	f->agent_group.known = a->have_last;
	if (!a->have_last) snprintf(f->agent_group.why, sizeof f->agent_group.why, "its agent could not be read");
	else {
		const struct snapshot *last = &a->last, *first = a->have_first ? &a->first : NULL;
		rounding(a, f);
		/* what was seen at one moment only has the rate of its whole life */
		sites_make(&sites, last, first, first ? last->age_s - first->age_s : 0, a->names);
		f->site = xcalloc(sites.n + 1, sizeof *f->site);
		for (size_t i = 0; i < sites.n; i++) fill_site(&f->site[f->nsites++], a, &sites.row[i], f->agent_rounding);
		f->alloc_bytes_per_s = sites.bytes_per_s < 0 ? NAN : sites.bytes_per_s;
		f->alloc_objects_per_s = sites.objects_per_s < 0 ? NAN : sites.objects_per_s;
		sites_free(&sites);
		f->agent_age_s = last->age_s;
		f->agent_attached = (last->flags & WIRE_ATTACHED) != 0;
		f->agent_live = last->live_bytes;
		f->agent_live_error = sqrt(last->live_variance);
		f->sample_rate = (double)last->rate;
		f->agent_losses = 0;
		for (unsigned i = 0; i < WIRE_LOSSES && (text = snapshot_loss_text(i)); i++) f->agent_losses += (double)last->loss[i];
		snapshot_free(&a->last);
	}
	forget(a, FACTS_MOMENTS);
	site_names_free(a->names);
	symbol_close(a->symbols);
	agent_close(a->agent);
	free(a);
}
