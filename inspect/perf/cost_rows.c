/* cost_rows.c: what was spent in the allocators, by who spent it: rows of names. See cost.h. */
#include "inspect/perf/cost.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/model/site_names.h"
#include "inspect/perf/code.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"

enum { INLINED_MAX = 32, NAME = 256 };

static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

static uint64_t address(const struct cost_stack *k, unsigned i) { return k->pc[i] - (i > 0); }

/* __libc_malloc is what the program calls malloc. */
static const char *public_name(const char *s)
{
	if (begins(s, "__GI_")) s += 5;
	return begins(s, "__libc_") ? s + 7 : s;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The function that a symbol names, not one inlined into it. 0: it has no name. */
static int function_of(const struct cost *c, const struct cost_stack *k, unsigned i, char name[NAME])
{
	struct symbol_frame f[INLINED_MAX];
	size_t n = symbol_lookup(c->image[k->image].symbols, address(k, i), f, INLINED_MAX);

	if (!n || !*f[n - 1].function) return 0;
	snprintf(name, NAME, "%s", public_name(f[n - 1].function));
	plain_text(name);
	return 1;
}

/* The allocator's innermost function that has a name; else where its code is. What it calls in others (memset, a mutex) is its own doing. */
static void name_inside(const struct cost *c, const struct cost_stack *k, char name[NAME])
{
	const struct symbol_module *m = symbol_module_of(c->image[k->image].symbols, address(k, k->inside - 1U));

	for (unsigned i = 0; i < k->inside; i++)
		if (code_holds(c->image[k->image].code, address(k, i)) && function_of(c, k, i, name)) return;
	snprintf(name, NAME, "[%s]", m ? base_name(m->path) : "no name");
	plain_text(name);
}

static int by_name(const void *a, const void *b)
{
	const struct cost_row *x = a, *y = b;
	int order = strcmp(x->function, y->function);

	return order ? order : strcmp(x->caller, y->caller);
}

static int by_weight(const void *a, const void *b, void *event)
{
	const struct cost_row *x = a, *y = b;
	size_t e = *(const size_t *)event;

	if (x->weight[e] != y->weight[e]) return x->weight[e] < y->weight[e] ? 1 : -1;
	return by_name(a, b);
}

static void add(const struct cost *c, struct cost_row *to, const struct cost_stack *k)
{
	for (size_t e = 0; e < c->nevents; e++) {
		to->weight[e] += k->weight[e];
		if (k->kernel) to->kernel[e] += k->weight[e];
	}
}

/* Rows that read the same become one. */
static void gather(const struct cost *c, struct cost_rows *r, size_t event)
{
	size_t n = 0;

	if (r->n) qsort(r->row, r->n, sizeof *r->row, by_name);
	for (size_t i = 0; i < r->n; i++) {
		struct cost_row *x = &r->row[i];
		if (!n || by_name(&r->row[n - 1], x)) {
			r->row[n++] = *x;
			continue;
		}
		for (size_t e = 0; e < c->nevents; e++) {
			r->row[n - 1].weight[e] += x->weight[e];
			r->row[n - 1].kernel[e] += x->kernel[e];
		}
		free(x->function);
		free(x->caller);
	}
	r->n = n;
	if (n) qsort_r(r->row, n, sizeof *r->row, by_weight, &event);
}

static void name_inside_row(const struct cost *c, const struct cost_stack *k, struct cost_row *row)
{
	char name[NAME];

	name_inside(c, k, name);
	row->function = xstrdup(name);
	row->caller = xstrdup("");
}

static void name_caller_row(struct site_names *names, const struct cost_stack *k, struct cost_row *row)
{
	const struct site_name *n = k->inside < k->depth ? site_names_of(names, k->pc + k->inside, (unsigned)k->depth - k->inside) : NULL;

	row->function = xstrdup(n ? n->function : "[caller not known]");
	row->caller = xstrdup(n ? n->caller : "");
}

static void make(const struct cost *c, size_t event, struct cost_rows *out, int callers)
{
	*out = (struct cost_rows){ .row = xcalloc(c->nstacks + 1, sizeof *out->row) };
	for (size_t image = 0; image < c->nimages; image++) {
		if (!c->image[image].symbols) continue;
		struct site_names *names = callers ? site_names_new(c->image[image].symbols) : NULL;
		for (size_t i = 0; i < c->nstacks; i++) {
			const struct cost_stack *k = &c->stack[i];
			struct cost_row *row = &out->row[out->n];
			if (k->image != image || !k->inside) continue;
			if (callers) name_caller_row(names, k, row);
			else name_inside_row(c, k, row);
			add(c, row, k);
			out->n++;
		}
		site_names_free(names);
	}
	gather(c, out, event);
}

void cost_functions(const struct cost *c, size_t event, struct cost_rows *out) { make(c, event, out, 0); }
void cost_callers(const struct cost *c, size_t event, struct cost_rows *out) { make(c, event, out, 1); }

void cost_rows_free(struct cost_rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->row[i].function);
		free(r->row[i].caller);
	}
	free(r->row);
	*r = (struct cost_rows){ 0 };
}
