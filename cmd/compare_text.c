/* compare_text.c: a comparison for people, on a terminal and in a report. */
#include "cmd/compare.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/screen.h"
#include "inspect/model/plain.h"
#include "inspect/model/ranks.h"
#include "inspect/model/units.h"
#include "inspect/target/xalloc.h"

enum { FIRST_WIDTH = 12, CELL_WIDTH = 14, NAME_WIDTH = 22, GAP = 2, CELL = 64, COMMAND_WIDTH = 200 };

/* Three digits that count: of two runs 1.2 s and 1.3 s would say nothing. */
static void seconds(double v, char out[CELL])
{
	if (v >= 99.95) snprintf(out, CELL, "%.0fs", v);
	else if (v >= 9.995) snprintf(out, CELL, "%.1fs", v);
	else if (v >= 0.9995) snprintf(out, CELL, "%.2fs", v);
	else if (v >= 0.09995) snprintf(out, CELL, "%.0fms", v * 1e3);
	else if (v >= 0.009995) snprintf(out, CELL, "%.1fms", v * 1e3);
	else if (v > 0) snprintf(out, CELL, "%.2fms", v * 1e3);
	else snprintf(out, CELL, "0s");
}

static void amount(double v, enum compare_unit unit, char out[CELL])
{
	char number[UNITS_MAX];

	if (isnan(v)) snprintf(out, CELL, "-");
	else if (unit == COMPARE_SECONDS) seconds(v, out);
	else snprintf(out, CELL, "%s", unit == COMPARE_BYTES ? units_bytes(v, number) : units_count(v, number));
}

/* "1.24s ±2%"; of nothing, no share can be had. */
static void value(const struct compare_variant *v, enum compare_figure f, char out[CELL])
{
	double *x = compare_column(v, f);
	struct ranks_spread s = ranks_spread(x, v->nruns);
	char middle[CELL], off[CELL];
	double share = s.median > 0 ? 100 * s.mad / s.median : 0;

	free(x);
	amount(s.median, compare_titles[f].unit, middle);
	amount(s.mad, compare_titles[f].unit, off);
	if (!s.n || v->nruns < 2) snprintf(out, CELL, "%s", middle);
	else if (s.median > 0) snprintf(out, CELL, "%.20s ±%.*f%%", middle, share > 0 && share < 0.95 ? 1 : 0, share);
	else snprintf(out, CELL, "%.20s ±%.20s", middle, off);
}

static void ratio(const struct comparison *c, const struct compare_variant *v, enum compare_figure f, char out[CELL])
{
	double r = v == c->variant ? NAN : compare_ratio(c, v, f), p = v == c->variant ? NAN : compare_p(c, v, f);
	const char *mark = p < COMPARE_ALPHA ? " *" : "";

	if (isnan(r)) snprintf(out, CELL, "%s", *mark ? "*" : "");
	else snprintf(out, CELL, "x%.*f%s", r < 9.995 ? 2 : r < 99.95 ? 1 : 0, r, mark);
}

/* How many comparisons could have a mark, and whether any of them could. */
static unsigned comparisons(const struct comparison *c, int *enough)
{
	unsigned n = 0;

	*enough = 0;
	for (size_t i = 1; i < c->n; i++) {
		if (c->variant[i].skipped) continue;
		if (ranks_p_least(c->variant->nruns, c->variant[i].nruns) < COMPARE_ALPHA) *enough = 1;
		for (int f = 0; f < COMPARE_FIGURES; f++) n += !isnan(compare_p(c, &c->variant[i], (enum compare_figure)f));
	}
	return n;
}

static void foot(const struct comparison *c, FILE *out)
{
	int enough;
	unsigned n = comparisons(c, &enough);

	fprintf(out, "±  median absolute deviation; x  how many times the median of the first\n");
	if (!enough)
		fprintf(out, "Which differences are chance cannot be told with %u run%s of each: that takes 4 (--rounds).\n", c->variant->nruns,
		        c->variant->nruns == 1 ? "" : "s");
	else
		fprintf(out, "*  differs from the first: Mann-Whitney U, two-sided, p < %g. Of these %u comparisons\n"
		             "   about %.0f would have it by chance.\n", COMPARE_ALPHA, n, fmax(1, round(n * COMPARE_ALPHA)));
}

static void told(const struct compare_variant *v, char *out, size_t n)
{
	const char *set = v->set[0];

	if (v->skipped) snprintf(out, n, "skipped: %s", v->skipped);
	else if (v->use == COMPARE_USED && v->library) snprintf(out, n, "%s, %s", v->allocator, v->library);
	else if (v->use == COMPARE_USED) snprintf(out, n, "%s in %s", v->allocator, v->owner);
	else if (v->library) snprintf(out, n, "%s", v->library);
	else snprintf(out, n, "%s", set || *v->note ? "" : "allocator not known");
	size_t len = strlen(out);
	if (!v->skipped && *v->note) snprintf(out + len, n - len, "%s%s", len ? "; " : "", v->note);
	plain_text(out);
}

/* A variant's name, as above its column and before what is said of it: with a number where names are cut. */
static char *title(const struct comparison *c, size_t i)
{
	int cut = 0;

	for (size_t k = 0; k < c->n; k++) cut |= plain_width(c->variant[k].name) + GAP > NAME_WIDTH;
	return cut ? xasprintf("%zu: %s", i + 1, c->variant[i].name) : xstrdup(c->variant[i].name);
}

static void head(const struct comparison *c, FILE *out, const char *before, const char *between, int pad)
{
	char what[600];

	for (size_t i = 0; i < c->n; i++) {
		char *name = title(c, i);
		size_t width = plain_width(name);
		told(&c->variant[i], what, sizeof what);
		fprintf(out, "%s%s%*s%s%s\n", before, name, pad && width < NAME_WIDTH - GAP ? (int)(NAME_WIDTH - GAP - width) : 0, "", *what || !pad ? between : "", what);
		free(name);
	}
}

/* The command, cut where it is long. Malloc'ed. */
static char *command(const struct comparison *c)
{
	char *s = xstrdup(c->variant->argv[0]);

	for (char **w = c->variant->argv + 1; *w; w++) {
		char *longer = xasprintf("%s %s", s, *w);
		free(s);
		s = longer;
	}
	return plain_cut(plain_text(s), COMMAND_WIDTH);
}

static void how_many(const struct comparison *c, char *out, size_t n)
{
	snprintf(out, n, "%u round%s%s%s%s", c->variant->nruns, c->variant->nruns == 1 ? "" : "s", c->warmup ? " after a warm-up" : "",
	         c->interrupted ? ", interrupted" : "", c->service ? "; elapsed: the load, all else: the service" : "");
}

/* To the right, in so many columns. */
static void cell(FILE *out, const char *s, unsigned width)
{
	char text[256];

	snprintf(text, sizeof text, "%s", s);
	plain_cut(text, width);
	fprintf(out, "%*s%s", (int)(width - plain_width(text)), "", text);
}

/* No blank behind the last figure, and no line without any. */
static void line(const struct comparison *c, FILE *out, const size_t *which, size_t n, enum compare_figure f, int second, unsigned width)
{
	char text[CELL];
	unsigned blanks = FIRST_WIDTH;
	int any = !second;

	if (!second) blanks -= (unsigned)fprintf(out, "%s", compare_titles[f].title);
	for (size_t i = 0; i < n; i++) {
		if (second) ratio(c, &c->variant[which[i]], f, text);
		else value(&c->variant[which[i]], f, text);
		if (!*text) {
			blanks += width;
			continue;
		}
		fprintf(out, "%*s", (int)blanks + GAP, "");
		cell(out, text, width - GAP);
		blanks = 0;
		any = 1;
	}
	if (any) fputc('\n', out);
}

static unsigned cell_width(const struct comparison *c, const size_t *which, size_t n)
{
	size_t width = CELL_WIDTH;

	for (size_t i = 0; i < n; i++) {
		size_t w = plain_width(c->variant[which[i]].name) + GAP;
		if (w > width) width = w < NAME_WIDTH ? w : NAME_WIDTH;
	}
	return (unsigned)width;
}

static void table(const struct comparison *c, FILE *out, const size_t *which, size_t n, unsigned width)
{
	fprintf(out, "\n%*s", FIRST_WIDTH, "");
	for (size_t i = 0; i < n; i++) {
		char *name = title(c, which[i]);
		fprintf(out, "%*s", GAP, "");
		cell(out, name, width - GAP);
		free(name);
	}
	fputc('\n', out);
	for (int f = 0; f < COMPARE_FIGURES; f++) {
		line(c, out, which, n, (enum compare_figure)f, 0, width);
		if (n > 1 || which[0]) line(c, out, which, n, (enum compare_figure)f, 1, width);
	}
}

static size_t measured(const struct comparison *c, size_t *which)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (!c->variant[i].skipped) which[n++] = i;
	return n;
}

static int text(const struct comparison *c, FILE *out, struct err *e)
{
	size_t *which = xcalloc(c->n, sizeof *which), n = measured(c, which), per;
	unsigned rows, columns = UINT_MAX, width = cell_width(c, which, n);
	char how[160], *line_of = command(c);

	(void)e;
	if (isatty(STDOUT_FILENO)) screen_size(&rows, &columns);
	how_many(c, how, sizeof how);
	fprintf(out, "%s\n%s\n\n", line_of, how);
	free(line_of);
	head(c, out, "", "  ", 1);
	/* several tables where one is too wide */
	per = columns > FIRST_WIDTH + width ? (columns - FIRST_WIDTH) / width : 1;
	for (size_t i = 0; i < n; i += per) table(c, out, which + i, n - i < per ? n - i : per, width);
	fputc('\n', out);
	foot(c, out);
	free(which);
	return 0;
}

static int markdown(const struct comparison *c, FILE *out, struct err *e)
{
	size_t *which = xcalloc(c->n, sizeof *which), n = measured(c, which);
	char v[CELL], r[CELL], how[160], *line_of = command(c);

	(void)e;
	how_many(c, how, sizeof how);
	fprintf(out, "`%s`: %s\n\n", line_of, how);
	free(line_of);
	head(c, out, "- **", "**: ", 0);
	fputs("\n| |", out);
	for (size_t i = 0; i < n; i++) {
		char *name = title(c, which[i]);
		fprintf(out, " %s |", name);
		free(name);
	}
	fputs("\n| --- |", out);
	for (size_t i = 0; i < n; i++) fputs(" ---: |", out);
	for (int f = 0; f < COMPARE_FIGURES; f++) {
		fprintf(out, "\n| %s |", compare_titles[f].title);
		for (size_t i = 0; i < n; i++) {
			value(&c->variant[which[i]], (enum compare_figure)f, v);
			ratio(c, &c->variant[which[i]], (enum compare_figure)f, r);
			char *star = strchr(r, '*');
			fprintf(out, " %s%s%.*s%s%s |", v, *r ? " (" : "", (int)(star ? star - r : (long)strlen(r)), r, star ? "\\*" : "", *r ? ")" : "");
		}
	}
	fputs("\n\n", out);
	foot(c, out);
	free(which);
	return 0;
}

const struct compare_format compare_text = { "text", text }, compare_markdown = { "markdown", markdown };
