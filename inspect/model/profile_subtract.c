/* profile_subtract.c: the difference of two profiles, matched by what their stacks name. */
#include "inspect/model/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/profile_store.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

/* Both profiles pour into `out` through one table from a location's meaning (an interned string) to the location of `out`. */
struct merge {
	struct profile *out;
	struct profile_table meaning;
	const char **key;               /* by location of out */
};

static int same_meaning(const void *ctx, uint32_t value, const void *key)
{
	return ((const struct merge *)ctx)->key[value] == key;
}

/* What a location names, the same in every run of the same program. */
static char *meaning_of(const struct profile *p, const struct profile_location *l)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	if (!f) return xstrdup("");
	const struct profile_mapping *m = &p->mapping[l->mapping];
	for (uint32_t i = 0; i < l->nlines; i++) {
		const struct profile_function *fn = &p->function[l->line[i].function];
		fprintf(f, "%s\n%s\n%u\n", *fn->linkage ? fn->linkage : fn->name, fn->file, l->line[i].line);
	}
	if (!l->nlines && (*m->build_id || *m->path))
		fprintf(f, "+%s\n%llx", *m->build_id ? m->build_id : m->path, (unsigned long long)(l->addr - m->start + m->offset));
	else if (!l->nlines) fprintf(f, "@%llx", (unsigned long long)l->addr);
	fclose(f);
	return text;
}

static uint32_t copy_location(struct merge *g, const struct profile *p, const struct profile_location *l)
{
	struct profile *out = g->out;
	const struct profile_mapping *m = &p->mapping[l->mapping];
	uint32_t mapping = l->mapping ? profile_mapping(out, m->start, m->end, m->offset, m->path, m->build_id) : 0;
	uint32_t to = profile_location_new(out, l->addr, mapping);
	out->mapping[mapping].has_functions |= m->has_functions;
	out->mapping[mapping].has_lines |= m->has_lines;
	out->mapping[mapping].has_inlines |= m->has_inlines;
	struct profile_line *line = xcalloc(l->nlines, sizeof *line);
	for (uint32_t i = 0; i < l->nlines; i++) {
		const struct profile_function *f = &p->function[l->line[i].function];
		line[i].function = profile_function(out, f->name, f->linkage, f->file, f->start_line);
		line[i].line = l->line[i].line;
	}
	if (l->nlines) profile_lines(out, to, line, l->nlines);
	free(line);
	return to;
}

static void pour(struct merge *g, const struct profile *p, double sign)
{
	uint32_t *to = xcalloc(p->nlocations, sizeof *to);
	g->key = xreallocarray(g->key, g->out->nlocations + p->nlocations, sizeof *g->key);
	for (size_t i = 1; i < p->nlocations; i++) {
		char *text = meaning_of(p, &p->location[i]);
		const char *key = profile_string(g->out, text);
		free(text);
		uint32_t *v = profile_table_find(&g->meaning, profile_hash(6, &key, sizeof key), same_meaning, g, key);
		if (!*v) {
			*v = copy_location(g, p, &p->location[i]);
			g->key[*v] = key;
		}
		to[i] = *v;
	}
	for (size_t i = 0; i < p->nsamples; i++) {
		const struct profile_sample *s = &p->sample[i];
		uint32_t *loc = xcalloc(s->nlocs, sizeof *loc);
		double value[PROFILE_TYPES_MAX] = { 0 };
		for (uint32_t k = 0; k < s->nlocs; k++) loc[k] = to[s->loc[k]];
		for (unsigned t = 0; t < p->ntypes; t++) value[t] = sign * s->value[t];
		profile_add(g->out, loc, s->nlocs, s->label, s->nlabels, value, s->variance);
		free(loc);
	}
	free(to);
}

static void copy_head(struct profile *out, const struct profile *p)
{
	out->ntypes = p->ntypes;
	out->default_type = p->default_type;
	for (unsigned t = 0; t < p->ntypes; t++) {
		out->type[t].name = profile_string(out, p->type[t].name);
		out->type[t].unit = profile_string(out, p->type[t].unit);
	}
	out->period_type.name = profile_string(out, p->period_type.name);
	out->period_type.unit = profile_string(out, p->period_type.unit);
	out->period = p->period;
	out->time_ns = p->time_ns;
	out->duration_ns = p->duration_ns;
	out->program = profile_string(out, p->program);
	out->pid = p->pid;
	out->inner_pid = p->inner_pid;
	for (size_t i = 0; i < p->ncomments; i++) profile_comment(out, "%s", p->comment[i]);
}

/* Less than one unit is what rounding in a file leaves, not a difference. The table of samples holds positions, so this comes
   last and drops it. */
static void drop_equal(struct profile *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < out->nsamples; i++) {
		unsigned t = 0;
		while (t < out->ntypes && fabs(out->sample[i].value[t]) < 1) t++;
		if (t < out->ntypes) out->sample[kept++] = out->sample[i];
	}
	out->nsamples = kept;
	profile_table_free(&out->store->samples);
}

int profile_subtract(const struct profile *a, const struct profile *b, struct profile **out, struct err *e)
{
	int same = a->ntypes == b->ntypes;
	for (unsigned t = 0; same && t < a->ntypes; t++)
		same = !strcmp(a->type[t].name, b->type[t].name) && !strcmp(a->type[t].unit, b->type[t].unit);
	if (!same)
		return err_set(e, ERR_USAGE, "subtracting the base profile: it has other value types (%s/%s… against %s/%s…): "
		               "give a base that alloctop dump wrote", b->ntypes ? b->type[0].name : "none", b->ntypes ? b->type[0].unit : "none",
		               a->ntypes ? a->type[0].name : "none", a->ntypes ? a->type[0].unit : "none");
	struct merge g = { .out = profile_new() };
	copy_head(g.out, a);
	pour(&g, a, 1);
	pour(&g, b, -1);
	if (b->ntypes && b->period > 1 && profile_variance(b, b->default_type) == 0)
		profile_comment(g.out, "note: the base does not say its errors: those shown are of the newer profile alone");
	drop_equal(g.out);
	profile_table_free(&g.meaning);
	free(g.key);
	*out = g.out;
	return 0;
}
