/* profile_flat.c: what one type of a profile adds up to, by function and in all, and the names to show. Reads the profile;
 * the only thing it may add is strings. */
#include "inspect/model/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/profile_store.h"
#include "inspect/target/xalloc.h"

const char *profile_name(const struct profile *p, const struct profile_location *l, uint32_t i, char *buf, size_t n)
{
	if (i < l->nlines) {
		const struct profile_function *f = &p->function[l->line[i].function];
		if (*f->name || *f->linkage) return *f->name ? f->name : f->linkage;
	}
	const struct profile_mapping *m = &p->mapping[l->mapping];
	if (*m->path) {
		const char *slash = strrchr(m->path, '/');
		snprintf(buf, n, "%s+0x%llx", slash && slash[1] ? slash + 1 : m->path,
		         (unsigned long long)(l->addr - m->start + m->offset));
	} else snprintf(buf, n, "0x%llx", (unsigned long long)l->addr);
	return buf;
}

double profile_total(const struct profile *p, unsigned type)
{
	double sum = 0;
	for (size_t i = 0; i < p->nsamples; i++) sum += p->sample[i].value[type];
	return sum;
}

double profile_variance(const struct profile *p, unsigned type)
{
	double sum = 0;
	for (size_t i = 0; i < p->nsamples; i++) sum += p->sample[i].variance[type];
	return sum;
}

unsigned profile_type_index(const struct profile *p, int wanted)
{
	unsigned t = wanted < 0 ? p->default_type : (unsigned)wanted;
	return t < p->ntypes ? t : 0;
}

struct flattening {
	const struct profile *p;
	struct profile_flat *row; size_t n;
	size_t *last;                   /* per row: 1 + the sample that counted it last */
	struct profile_table rows;      /* by name */
};

static int same_row(const void *ctx, uint32_t value, const void *key)
{
	return ((const struct flattening *)ctx)->row[value - 1].name == key;
}

static size_t row_of(struct flattening *f, const struct profile_location *l, uint32_t i)
{
	char buf[512];
	const char *name = profile_store_string(f->p->store, profile_name(f->p, l, i, buf, sizeof buf));
	uint32_t *v = profile_table_find(&f->rows, profile_hash(5, &name, sizeof name), same_row, f, name);
	if (!*v) {
		if ((f->n & (f->n - 1)) == 0) {
			f->row = xreallocarray(f->row, f->n ? f->n * 2 : 1, sizeof *f->row);
			f->last = xreallocarray(f->last, f->n ? f->n * 2 : 1, sizeof *f->last);
		}
		struct profile_flat *r = &f->row[f->n];
		*r = (struct profile_flat){ .name = name, .file = profile_empty };
		if (i < l->nlines) {
			const struct profile_function *fn = &f->p->function[l->line[i].function];
			r->file = fn->file;
			r->line = fn->start_line ? fn->start_line : l->line[i].line;
		}
		f->last[f->n++] = 0;
		*v = (uint32_t)f->n;
	}
	return *v - 1;
}

static void flatten_sample(struct flattening *f, size_t s, unsigned type)
{
	const struct profile_sample *sample = &f->p->sample[s];
	double value = sample->value[type];
	for (uint32_t i = 0; i < sample->nlocs; i++) {
		const struct profile_location *l = &f->p->location[sample->loc[i]];
		for (uint32_t k = 0; k < (l->nlines ? l->nlines : 1); k++) {
			size_t r = row_of(f, l, k);
			if (i == 0 && k == 0) {
				f->row[r].self += value;
				f->row[r].self_variance += sample->variance[type];
			}
			if (f->last[r] != s + 1) f->row[r].cumulative += value;
			f->last[r] = s + 1;
		}
	}
}

static int by_self(const void *x, const void *y)
{
	const struct profile_flat *a = x, *b = y;
	double d = fabs(b->self) - fabs(a->self);
	if (d == 0) d = fabs(b->cumulative) - fabs(a->cumulative);
	return d < 0 ? -1 : d > 0 ? 1 : strcmp(a->name, b->name);
}

struct profile_flat *profile_flatten(const struct profile *p, unsigned type, size_t *n)
{
	struct flattening f = { .p = p };
	for (size_t s = 0; s < p->nsamples; s++)
		if (p->sample[s].value[type] != 0) flatten_sample(&f, s, type);
	if (f.n) qsort(f.row, f.n, sizeof *f.row, by_self);
	profile_table_free(&f.rows);
	free(f.last);
	*n = f.n;
	return f.row;
}
