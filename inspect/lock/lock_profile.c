/* lock_profile.c: a report as a profile, in the terms of Go's mutex profiles, which pprof knows: contentions/count, delay/nanoseconds. */
#include "inspect/lock/lock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "inspect/model/profile.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/target.h"

enum { CONTENTIONS, DELAY, TYPES };

static uint32_t mapping_of(struct profile *p, struct symbolizer *s, uint64_t addr)
{
	const struct symbol_module *m = symbol_module_of(s, addr);
	char hex[2 * sizeof m->build_id + 1] = "";

	if (!m) return 0;
	for (unsigned i = 0; i < m->build_id_size && i < sizeof m->build_id; i++) snprintf(hex + 2 * i, 3, "%02x", m->build_id[i]);
	if (m->text) return profile_mapping(p, m->text, m->text_end, m->text_offset, m->path, hex);
	return profile_mapping(p, m->start, m->end, m->file_offset, m->path, hex);
}

/* The program's mapping first: pprof takes the first for the program. */
static void add_program(struct profile *p, struct symbolizer *s, const struct target *t)
{
	if (t->at_entry) mapping_of(p, s, t->at_entry);
}

/* Where nobody could tell the stack, the waiting is there all the same. */
static uint32_t nowhere(struct profile *p)
{
	uint32_t loc = profile_location_new(p, 0, 0);
	struct profile_line line = { .function = profile_function(p, "[stack not recorded]", "[stack not recorded]", "", 0) };

	profile_lines(p, loc, &line, 1);
	return loc;
}

static void add_stack(struct profile *p, struct symbolizer *s, const struct lock_stack *k, const struct profile_label *label, unsigned nlabels, double waits)
{
	uint32_t loc[LOCK_DEPTH_MAX], n = 0;
	double value[TYPES] = { [CONTENTIONS] = waits, [DELAY] = k->lost_s > 0 ? k->lost_s * 1e9 : 0 };

	for (; n < k->depth && n < LOCK_DEPTH_MAX; n++) {
		uint64_t addr = k->pc[n] - (n > 0);
		loc[n] = profile_location(p, addr, mapping_of(p, s, addr));
	}
	if (value[CONTENTIONS] > 0 || value[DELAY] > 0) profile_add(p, loc, n, label, nlabels, value, NULL);
}

static void add_row(struct profile *p, struct symbolizer *s, const struct lock_report *r, const struct lock_row *row)
{
	const struct profile_label label[] = { { "lock", row->name, "", 0 }, { "allocator", *row->allocator ? row->allocator : "no", "", 0 } };
	double lost = row->lost_s_per_s.source ? row->lost_s_per_s.value * r->period_s * 1e9 : 0, waits = row->waits_per_s.source ? row->waits_per_s.value * r->period_s : 0;

	if (row->use != LOCK_USE_LOCK) return;
	for (size_t i = 0; i < row->nstacks; i++) {
		/* a count of samples is no count of waits */
		add_stack(p, s, &row->stack[i], label, 2, row->waits_per_s.source ? row->stack[i].waits : 0);
	}
	if (!row->nstacks && (lost > 0 || waits > 0)) {
		uint32_t loc = nowhere(p);
		double value[TYPES] = { [CONTENTIONS] = waits, [DELAY] = lost };
		profile_add(p, &loc, 1, label, 2, value, NULL);
	}
}

struct profile *lock_profile(const struct lock_report *r, const struct target *t, struct symbolizer *s, const char *program)
{
	struct profile *p = profile_new();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	p->type[CONTENTIONS] = (struct profile_type){ "contentions", "count" };
	p->type[DELAY] = (struct profile_type){ "delay", "nanoseconds" };
	p->ntypes = TYPES;
	p->default_type = DELAY;
	p->period_type = (struct profile_type){ "contentions", "count" };
	p->period = 1;
	p->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	p->duration_ns = (int64_t)(r->period_s * 1e9);
	p->program = profile_string(p, program);
	p->pid = (int)t->pid;
	p->inner_pid = (int)t->proc.inner_pid;
	profile_comment(p, "alloctop: waiting for locks in %s, pid %d", program, (int)t->pid);
	for (size_t i = 0; i < r->nnotices; i++)
		profile_comment(p, "%s%s: %s", r->notice[i].source, r->notice[i].state == LOCK_REFUSED ? ": not used" : "", r->notice[i].text);
	profile_comment(p, "contentions: only of locks whose waits a source counted (futex-trace, jemalloc-counters); delay: of all");
	add_program(p, s, t);
	for (size_t i = 0; i < r->nrows; i++) add_row(p, s, r, &r->row[i]);
	return p;
}
