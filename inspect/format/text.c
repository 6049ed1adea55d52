/* text.c: a profile for people: the functions that hold or allocate most, with the columns of `pprof -top` and the standard error
 * of each estimate, then the biggest stacks. Names stand last in a row and are never cut; with short ones a row fits in 80
 * columns. Percentages are of the sum of all values' amounts, as pprof's are, so that those of a difference stay below 100. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/format/format.h"
#include "inspect/format/whole.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/model/units.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

enum { STACKS = 10, FRAMES = 40, NARROW = 7, WIDE = 14 };

struct page {
	FILE *out;
	const struct profile *p;
	unsigned type, limit;
	int bytes, nanoseconds, exact, width;
	double amount;                  /* sum of |value|: 100 % */
};

static const char *value_text(const struct page *g, double v, char buf[UNITS_MAX])
{
	if (g->exact) snprintf(buf, UNITS_MAX, "%lld", (long long)whole_number(v));
	else if (g->bytes) units_bytes(v, buf);
	else if (g->nanoseconds) units_nanoseconds(v, buf);
	else units_count(v, buf);
	return buf;
}

/* Nothing where the error is not known, or where there is none. */
static const char *error_text(const struct page *g, double variance, char buf[UNITS_MAX])
{
	if (variance > 0 && isfinite(variance)) return value_text(g, sqrt(variance), buf);
	*buf = 0;
	return buf;
}

static double percent(const struct page *g, double v)
{
	return g->amount > 0 ? 100 * v / g->amount : 0;
}

static void put_plain(const struct page *g, const char *s)
{
	char *copy = plain_text(xstrdup(s));
	fputs(copy, g->out);
	free(copy);
}

static const char *meaning(const char *type)
{
	static const char *const words[][2] = {
		{ "inuse_space", "live bytes" }, { "inuse_objects", "live objects" },
		{ "alloc_space", "allocated bytes, freed ones too" }, { "alloc_objects", "allocated objects, freed ones too" },
	};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (!strcmp(words[i][0], type)) return words[i][1];
	return NULL;
}

static void put_head(const struct page *g, const struct format_options *o)
{
	const struct profile *p = g->p;
	char v[UNITS_MAX], e[UNITS_MAX], date[64] = "", label[PROC_LABEL];
	const char *type = p->type[g->type].name, *words = meaning(type);
	time_t s = (time_t)(p->time_ns / 1000000000);
	struct tm tm;
	if (o->title) put_plain(g, o->title);
	else put_plain(g, *p->program ? p->program : "profile");
	if (!o->title && p->pid) fprintf(g->out, ", %s", proc_label(p->pid, p->inner_pid, label));
	if (p->time_ns && gmtime_r(&s, &tm) && strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &tm)) fprintf(g->out, ", %s", date);
	fputs("\n", g->out);
	put_plain(g, type);
	if (words) fprintf(g->out, " (%s)", words);
	double variance = profile_variance(p, g->type);
	fprintf(g->out, ": %s", value_text(g, profile_total(p, g->type), v));
	if (*error_text(g, variance, e)) fprintf(g->out, " ± %s", e);
	if (p->period == 1) fputs(", every allocation counted", g->out);
	else if (p->period > 1 && !strcmp(p->period_type.unit, "bytes"))
		fprintf(g->out, ", one sample per %s allocated", units_setting((uint64_t)p->period, v));
	fputs("\n", g->out);
	for (size_t i = 0; i < p->ncomments; i++) {
		if (strncmp(p->comment[i], "lost:", 5) && strncmp(p->comment[i], "note:", 5)) continue;
		put_plain(g, p->comment[i]);
		fputs("\n", g->out);
	}
}

static void put_functions(const struct page *g)
{
	size_t n, shown;
	struct profile_flat *row = profile_flatten(g->p, g->type, &n);
	double sum = 0;
	int w = g->width;
	shown = g->limit && g->limit < n ? g->limit : n;
	fprintf(g->out, "\n%*s%*s±%8s%8s%*s%8s  function (%zu of %zu)\n", w, "flat", w - 1, "", "flat%", "sum%", w, "cum", "cum%", shown, n);
	for (size_t i = 0; i < shown; i++) {
		char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];
		sum += row[i].self;
		fprintf(g->out, "%*s%*s%7.2f%%%7.2f%%%*s%7.2f%%  ", w, value_text(g, row[i].self, a), w,
		        error_text(g, row[i].self_variance, b), percent(g, row[i].self), percent(g, sum), w,
		        value_text(g, row[i].cumulative, c), percent(g, row[i].cumulative));
		put_plain(g, row[i].name);
		fputs("\n", g->out);
	}
	free(row);
}

static void put_frame(const struct page *g, const struct profile_location *l, uint32_t i)
{
	char buf[512];
	fputs("        ", g->out);
	put_plain(g, profile_name(g->p, l, i, buf, sizeof buf));
	if (i < l->nlines && *g->p->function[l->line[i].function].file) {
		const char *file = g->p->function[l->line[i].function].file, *slash = strrchr(file, '/');
		fputs("  ", g->out);
		put_plain(g, slash ? slash + 1 : file);
		if (l->line[i].line) fprintf(g->out, ":%u", l->line[i].line);
	}
	fputs("\n", g->out);
}

static void put_frames(const struct page *g, const struct profile_sample *s)
{
	size_t put = 0, left = 0;
	for (uint32_t k = 0; k < s->nlocs; k++) {
		const struct profile_location *l = &g->p->location[s->loc[k]];
		for (uint32_t i = 0; i < (l->nlines ? l->nlines : 1); i++) {
			if (put < FRAMES) put_frame(g, l, i);
			else left++;
			put++;
		}
	}
	if (left) fprintf(g->out, "        (%zu more callers)\n", left);
}

static int by_value(const void *x, const void *y, void *type)
{
	const struct profile_sample *const *a = x, *const *b = y;
	double d = fabs((*b)->value[*(unsigned *)type]) - fabs((*a)->value[*(unsigned *)type]);
	return d < 0 ? -1 : d > 0 ? 1 : *a < *b ? -1 : *a > *b;
}

static void put_stacks(const struct page *g)
{
	const struct profile *p = g->p;
	const struct profile_sample **order = xcalloc(p->nsamples, sizeof *order);
	unsigned type = g->type;
	size_t n = 0;
	for (size_t i = 0; i < p->nsamples; i++)
		if (p->sample[i].value[type] != 0) order[n++] = &p->sample[i];
	if (n) qsort_r(order, n, sizeof *order, by_value, &type);
	size_t shown = g->limit && g->limit < STACKS ? g->limit : STACKS;
	if (shown > n) shown = n;
	if (shown) fprintf(g->out, "\nbiggest stacks (%zu of %zu)\n", shown, n);
	for (size_t i = 0; i < shown; i++) {
		char v[UNITS_MAX], e[UNITS_MAX];
		fprintf(g->out, "\n%*s", g->width, value_text(g, order[i]->value[type], v));
		if (*error_text(g, order[i]->variance[type], e)) fprintf(g->out, " ± %s", e);
		fprintf(g->out, "  %.2f%%", percent(g, order[i]->value[type]));
		for (uint32_t k = 0; k < order[i]->nlabels; k++) {
			const struct profile_label *l = &order[i]->label[k];
			fputs("  ", g->out);
			put_plain(g, l->key);
			fputs("=", g->out);
			if (l->str) put_plain(g, l->str);
			else fprintf(g->out, "%lld", (long long)l->num);
		}
		fputs("\n", g->out);
		put_frames(g, order[i]);
	}
	free(order);
}

static int text_write(const struct format *f, FILE *out, const struct profile *p, const struct format_options *o, struct err *e)
{
	(void)f;
	(void)e;
	struct page g = { .out = out, .p = p, .type = profile_type_index(p, o->type), .limit = o->limit, .exact = o->exact_bytes };
	g.bytes = !strcmp(p->type[g.type].unit, "bytes");
	g.nanoseconds = !strcmp(p->type[g.type].unit, "nanoseconds");
	g.width = g.exact ? WIDE : NARROW + g.nanoseconds;
	for (size_t i = 0; i < p->nsamples; i++) g.amount += fabs(p->sample[i].value[g.type]);
	put_head(&g, o);
	put_functions(&g);
	put_stacks(&g);
	return 0;
}

const struct format format_text = {
	.name = "text",
	.summary = "a table of functions and the biggest stacks, to read",
	.suffix = "txt",
	.to_terminal = 1,
	.write = text_write,
};
