/* cost_profile.c: what was measured as a profile. Samples are scaled to the counts, which are exact: so what the kernel lost is not missing
 * in the sum. See cost.h. */
#include "inspect/perf/cost.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "inspect/model/profile.h"
#include "inspect/perf/code.h"
#include "inspect/perf/huge.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/target.h"

static uint32_t mapping_of(struct profile *p, struct symbolizer *s, uint64_t addr)
{
	const struct symbol_module *m = symbol_module_of(s, addr);
	char hex[2 * sizeof m->build_id + 1] = "";

	if (!m) return 0;
	for (unsigned i = 0; i < m->build_id_size && i < sizeof m->build_id; i++) snprintf(hex + 2 * i, 3, "%02x", m->build_id[i]);
	if (m->text) return profile_mapping(p, m->text, m->text_end, m->text_offset, m->path, hex);
	return profile_mapping(p, m->start, m->end, m->file_offset, m->path, hex);
}

/* A frame of no address, in front of those that the kernel worked for: one location for all of them. */
static uint32_t kernel_frame(struct profile *p)
{
	static const char name[] = "[kernel]";
	struct profile_line line = { .function = profile_function(p, name, name, "", 0) };

	for (size_t i = 1; i < p->nlocations; i++)
		if (p->location[i].nlines == 1 && p->location[i].line->function == line.function) return (uint32_t)i;
	uint32_t loc = profile_location_new(p, 0, 0);
	profile_lines(p, loc, &line, 1);
	return loc;
}

static struct profile *begin(const struct cost *c, const char *what, const char *type, const char *value, const char *unit)
{
	struct profile *p = profile_new();
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	p->type[0] = (struct profile_type){ type, "count" };
	p->type[1] = (struct profile_type){ value, unit };
	p->ntypes = 2;
	p->default_type = 1;
	p->period_type = (struct profile_type){ type, "count" };
	p->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	p->duration_ns = (int64_t)(c->period_s * 1e9);
	p->program = profile_string(p, c->program);
	p->pid = (int)c->pid;
	p->inner_pid = (int)c->inner_pid;
	profile_comment(p, "alloctop: %s %s, pid %d", what, c->program, (int)c->pid);
	if (c->lost > 0 || c->dropped > 0) profile_comment(p, "note: %.0f samples were lost; the sums are scaled up for them", c->lost + c->dropped);
	if (c->left_out) profile_comment(p, "note: %u threads were left out", c->left_out);
	/* the program's mapping first: pprof takes the first for the program */
	for (size_t i = 0; i < c->nimages; i++)
		if (c->image[i].target && c->image[i].target->at_entry) mapping_of(p, c->image[i].symbols, c->image[i].target->at_entry);
	return p;
}

static void add(const struct cost *c, struct profile *p, const struct cost_stack *k, int kernel, double first, double second)
{
	uint32_t loc[COST_DEPTH + 1], n = 0;
	double value[2] = { first, second };
	struct symbolizer *s = c->image[k->image].symbols;

	if (kernel) loc[n++] = kernel_frame(p);
	for (unsigned i = 0; i < k->depth; i++) {
		uint64_t addr = k->pc[i] - (i > 0);
		loc[n++] = profile_location(p, addr, mapping_of(p, s, addr));
	}
	profile_add(p, loc, n, NULL, 0, value, NULL);
}

/* The addresses of one program are nothing for the symbols of the next: each is named before the other's come. */
typedef void add_stack(const struct cost *c, struct profile *p, const struct cost_stack *k, double scale);

static void add_all(const struct cost *c, struct profile *p, int raw, add_stack *stack, double scale)
{
	for (size_t i = 0; i < c->nimages; i++) {
		if (!c->image[i].symbols) continue;
		for (size_t k = 0; k < c->nstacks; k++)
			if (c->stack[k].image == i && c->stack[k].weight[0] > 0) stack(c, p, &c->stack[k], scale);
		if (!raw) profile_symbolise(p, c->image[i].symbols);
	}
}

static void add_cpu(const struct cost *c, struct profile *p, const struct cost_stack *k, double scale)
{
	if (k->inside) add(c, p, k, k->kernel, k->samples[0], k->weight[0] * scale);
}

static void add_growth(const struct cost *c, struct profile *p, const struct cost_stack *k, double scale)
{
	double bytes = (k->weight[0] - k->huge) * (double)sysconf(_SC_PAGESIZE) + k->huge * (double)huge_size();

	add(c, p, k, 0, k->weight[0] * scale, bytes * scale);
}

struct profile *cost_profile_cpu(const struct cost *c, int raw)
{
	struct profile *p = begin(c, "processor time inside the allocator of", "samples", "cpu", "nanoseconds");
	double error, share = cost_share(c, 0, &error), scale = share > 0 ? cost_inside(c, 0) / c->sum[0].inside : 1;

	p->period_type = p->type[1];
	p->period = (int64_t)(1e9 / c->o.hz);
	if (share >= 0)
		profile_comment(p, "note: %.3g s of %.3g s of processor time: %.2f%% ±%.2f", cost_inside(c, 0) * 1e-9, c->event[0].count * 1e-9, 100 * share, 100 * error);
	if (c->event[0].user_only) profile_comment(p, "note: without what the kernel does for it: that was not permitted");
	for (size_t i = 0; i < c->nimages; i++)
		if (c->image[i].code) profile_comment(p, "note: the allocator: %s", *code_evidence(c->image[i].code) ? code_evidence(c->image[i].code) : "none was found");
	add_all(c, p, raw, add_cpu, scale);
	return p;
}

struct profile *cost_profile_growth(const struct cost *c, int raw)
{
	struct profile *p = begin(c, "page faults in", "faults", "growth", "bytes");
	double page = (double)sysconf(_SC_PAGESIZE), large = (double)huge_size(), huge = 0, scale = c->sum[0].weight > 0 ? c->event[0].count / c->sum[0].weight : 1;

	for (size_t i = 0; i < c->nstacks; i++) huge += c->stack[i].huge * scale;
	profile_comment(p, "note: %.0f page faults in %.1f s; growth: a page of %.0f bytes each", c->event[0].count, c->period_s, page);
	if (c->huge < 0) profile_comment(p, "note: which of them brought a huge page could not be told (needs Linux 6.7): growth is too low by those");
	else if (huge > 0) profile_comment(p, "note: %.0f of them brought a huge page of %.0f bytes, and count as that", huge, large);
	profile_comment(p, "note: of pages that were given back and touched again each time counts; a fault in a file's mapping may bring several pages, and counts as one");
	add_all(c, p, raw, add_growth, scale);
	return p;
}
