/* profile_snapshot.c: the profile of what an agent's segment said. See profile.h. */
#include "inspect/model/profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/snapshot.h"
#include "inspect/model/units.h"
#include "inspect/target/xalloc.h"

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE, TYPES };
enum { SYNTHETIC_NONE = 1 + WIRE_LOSSES, SYNTHETICS };

/* A stack of the snapshot as locations, leaf first. */
struct stack { uint32_t *loc, n; };

struct making {
	const struct snapshot *s;
	struct profile *p;
	const struct symbol_module **module;    /* ascending by start */
	struct stack *stack;                    /* by site; n is 0 until asked for */
	uint32_t synthetic[SYNTHETICS];         /* locations, by snap_site.cut */
};

static int by_start(const void *x, const void *y)
{
	const struct symbol_module *a = *(const struct symbol_module *const *)x, *b = *(const struct symbol_module *const *)y;
	return a->start < b->start ? -1 : a->start > b->start ? 1 : a < b ? -1 : a > b;
}

static uint32_t mapping_of_module(struct profile *p, const struct symbol_module *m)
{
	char hex[2 * sizeof m->build_id + 1] = "";
	for (unsigned i = 0; i < m->build_id_size && i < sizeof m->build_id; i++) sprintf(hex + 2 * i, "%02x", m->build_id[i]);
	/* go tool pprof finds symbols in a binary only when the mapping is that of its code, as the kernel has it */
	if (m->text) return profile_mapping(p, m->text, m->text_end, m->text_offset, m->path, hex);
	return profile_mapping(p, m->start, m->end, m->file_offset, m->path, hex);
}

/* Modules may overlap when one was unloaded: the one that starts last, and among those the one that came last, is asked first. */
static uint32_t mapping_of(struct making *g, uint64_t addr)
{
	enum { LOOK_BACK = 8 };
	size_t low = 0, high = g->s->nmodules;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (g->module[mid]->start <= addr) low = mid + 1;
		else high = mid;
	}
	for (size_t i = low; i > 0 && low - i < LOOK_BACK; i--)
		if (addr < g->module[i - 1]->end) return mapping_of_module(g->p, g->module[i - 1]);
	return 0;
}

static const char *synthetic_name(unsigned which)
{
	switch (which) {
	case SYNTHETIC_NONE: return "[stack not recorded]";
	case 1 + WIRE_CUT_DEPTH: return "[truncated: more frames than are kept]";
	case 1 + WIRE_CUT_UNKNOWN_CODE: return "[truncated: code of no known module]";
	case 1 + WIRE_CUT_NO_RULE: return "[truncated: no unwind information]";
	case 1 + WIRE_CUT_BOUNDS: return "[truncated: outside of the thread's stack]";
	default: return "[truncated: for an unknown reason]";
	}
}

static uint32_t synthetic(struct making *g, unsigned which)
{
	if (which >= SYNTHETICS) which = WIRE_LOSSES;
	if (!g->synthetic[which]) {
		const char *name = synthetic_name(which);
		struct profile_line line = { .function = profile_function(g->p, name, name, "", 0) };
		g->synthetic[which] = profile_location_new(g->p, 0, 0);
		profile_lines(g->p, g->synthetic[which], &line, 1);
	}
	return g->synthetic[which];
}

static const struct stack *stack_of(struct making *g, size_t index)
{
	const struct snap_site *site = &g->s->site[index];
	struct stack *k = &g->stack[index];
	if (k->n) return k;
	k->loc = xcalloc(site->depth + 1, sizeof *k->loc);
	for (unsigned i = 0; i < site->depth; i++) {
		uint64_t addr = site->pc[i] ? site->pc[i] - 1 : 0;
		k->loc[k->n++] = profile_location(g->p, addr, mapping_of(g, addr));
	}
	if (!site->depth) k->loc[k->n++] = synthetic(g, SYNTHETIC_NONE);
	else if (site->cut) k->loc[k->n++] = synthetic(g, site->cut);
	return k;
}

static double objects_of(const struct snap_live *l)
{
	return l->size ? l->weight / (double)l->size : 1;
}

static double objects_variance(const struct snap_live *l)
{
	return l->size ? l->variance / ((double)l->size * (double)l->size) : 0;
}

/* Without labels: one sample per site. The variance of live objects is known from the records only. */
static void add_sites(struct making *g)
{
	double *variance = xcalloc(g->s->nsites, sizeof *variance);
	for (size_t i = 0; i < g->s->nlive; i++) variance[g->s->live[i].site] += objects_variance(&g->s->live[i]);
	for (size_t i = 0; i < g->s->nsites; i++) {
		const struct snap_site *s = &g->s->site[i];
		double value[TYPES] = { s->alloc_objects, s->alloc_bytes, s->live_objects, s->live_bytes };
		double var[TYPES] = { 0, s->alloc_variance, variance[i], s->live_variance };
		if (!s->samples && !s->live_samples && !value[ALLOC_SPACE] && !value[INUSE_SPACE]) continue;
		const struct stack *k = stack_of(g, i);
		profile_add(g->p, k->loc, k->n, NULL, 0, value, var);
	}
	free(variance);
}

static const char *thread_name(const struct snapshot *s, uint32_t index, char *buf, size_t n)
{
	const struct snap_thread *t = &s->thread[index];
	if (*t->name) return t->name;
	if (t->tid) snprintf(buf, n, "tid %u", t->tid);
	else snprintf(buf, n, "[thread not recorded]");
	return buf;
}

/* With labels: live values by stack and label, cumulative ones by stack. */
static void add_labelled(struct making *g, unsigned labels)
{
	for (size_t i = 0; i < g->s->nsites; i++) {
		const struct snap_site *s = &g->s->site[i];
		double value[TYPES] = { s->alloc_objects, s->alloc_bytes }, var[TYPES] = { 0, s->alloc_variance };
		if (!s->samples && !value[ALLOC_SPACE]) continue;
		const struct stack *k = stack_of(g, i);
		profile_add(g->p, k->loc, k->n, NULL, 0, value, var);
	}
	for (size_t i = 0; i < g->s->nlive; i++) {
		const struct snap_live *l = &g->s->live[i];
		char name[32];
		struct profile_label label[2] = { 0 };
		uint32_t n = 0;
		if ((labels & PROFILE_LABEL_THREAD) && l->thread < g->s->nthreads)
			label[n++] = (struct profile_label){ "thread", thread_name(g->s, l->thread, name, sizeof name), "", 0 };
		if (labels & PROFILE_LABEL_SIZE) {
			int64_t size = l->size < INT64_MAX ? (int64_t)l->size : INT64_MAX;
			label[n++] = (struct profile_label){ "bytes", NULL, "bytes", size };
		}
		double value[TYPES] = { [INUSE_OBJECTS] = objects_of(l), [INUSE_SPACE] = l->weight };
		double var[TYPES] = { [INUSE_OBJECTS] = objects_variance(l), [INUSE_SPACE] = l->variance };
		const struct stack *k = stack_of(g, l->site);
		profile_add(g->p, k->loc, k->n, label, n, value, var);
	}
}

static void add_comments(struct making *g)
{
	const struct snapshot *s = g->s;
	char since[UNITS_MAX];

	profile_comment(g->p, "alloctop: sampled heap profile of %s, pid %d", g->p->program, g->p->pid);
	if (s->forked_from) profile_comment(g->p, "forked from pid %d: counts from the fork on", (int)s->forked_from);
	for (unsigned i = 0; i < WIRE_LOSSES; i++) {
		const char *name = snapshot_loss_name(i);
		if (name && s->loss[i]) profile_comment(g->p, "lost: %llu %s: %s", (unsigned long long)s->loss[i], name, snapshot_loss_text(i));
	}
	if (s->torn) profile_comment(g->p, "lost: %llu records changed while they were read", (unsigned long long)s->torn);
	if (s->bad) profile_comment(g->p, "lost: %llu records made no sense", (unsigned long long)s->bad);
	if (s->flags & WIRE_ATTACHED) profile_comment(g->p, "note: since attach, %s ago: what was allocated before is not in it", units_seconds(s->age_s, since));
}

/* pprof takes the first mapping for the program itself. */
static void add_mappings(struct making *g)
{
	size_t n = g->s->nmodules;
	g->module = xcalloc(n, sizeof *g->module);
	for (size_t i = 0; i < n; i++) g->module[i] = &g->s->module[i];
	if (n) qsort(g->module, n, sizeof *g->module, by_start);
	for (int program = 1; program >= 0; program--)
		for (size_t i = 0; i < n; i++)
			if (!!g->module[i]->is_main == program) mapping_of_module(g->p, g->module[i]);
}

struct profile *profile_of_snapshot(const struct snapshot *s, enum profile_kind kind, unsigned labels, const char *program)
{
	static const struct profile_type types[TYPES] = {
		[ALLOC_OBJECTS] = { "alloc_objects", "count" }, [ALLOC_SPACE] = { "alloc_space", "bytes" },
		[INUSE_OBJECTS] = { "inuse_objects", "count" }, [INUSE_SPACE] = { "inuse_space", "bytes" },
	};
	struct making g = { .s = s, .p = profile_new() };
	memcpy(g.p->type, types, sizeof types);
	g.p->ntypes = TYPES;
	g.p->default_type = kind == PROFILE_ALLOCS ? ALLOC_SPACE : INUSE_SPACE;
	g.p->period_type = (struct profile_type){ "space", "bytes" };
	g.p->period = s->rate < INT64_MAX ? (int64_t)s->rate : INT64_MAX;
	g.p->time_ns = s->realtime_ns;
	g.p->duration_ns = s->age_s > 0 && s->age_s < 9e9 ? (int64_t)(s->age_s * 1e9) : 0;
	g.p->program = profile_string(g.p, program);
	g.p->pid = s->pid ? s->pid : s->inner_pid;
	g.p->inner_pid = s->inner_pid;
	add_comments(&g);
	add_mappings(&g);
	g.stack = xcalloc(s->nsites, sizeof *g.stack);
	if (labels) add_labelled(&g, labels);
	else add_sites(&g);
	for (size_t i = 0; i < s->nsites; i++) free(g.stack[i].loc);
	free(g.stack);
	free(g.module);
	return g.p;
}
