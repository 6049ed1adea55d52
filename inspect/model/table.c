/* table.c: see table.h. */
#include "inspect/model/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/model/plain.h"
#include "inspect/model/units.h"
#include "inspect/target/xalloc.h"

enum { TEXT_CHUNK = 16 << 10 };

struct table_text { struct table_text *next; size_t used, size; char bytes[]; };

struct table *table_new(const struct table_shape *shape)
{
	struct table *t = xcalloc(1, sizeof *t);

	t->shape = shape;
	t->users = 1;
	t->note = "";
	return t;
}

struct table *table_use(struct table *t)
{
	if (t) __atomic_fetch_add(&t->users, 1, __ATOMIC_RELAXED);
	return t;
}

void table_leave(struct table *t)
{
	if (!t || __atomic_sub_fetch(&t->users, 1, __ATOMIC_ACQ_REL)) return;
	while (t->texts) {
		struct table_text *x = t->texts;
		t->texts = x->next;
		free(x);
	}
	free(t->packed);
	free(t->row);
	free(t);
}

struct table_row *table_add(struct table *t, uint64_t id)
{
	struct table_row *r;

	if (!(t->nrows & (t->nrows - 1))) t->row = xreallocarray(t->row, t->nrows ? 2 * t->nrows : 1, sizeof *t->row);
	r = &t->row[t->nrows++];
	*r = (struct table_row){ .id = id };
	for (unsigned i = 0; i < t->shape->ncolumns; i++) {
		if (t->shape->column[i].kind == FIGURE_TEXT) r->cell[i].text = "";
		else r->cell[i].number = NAN;
	}
	return r;
}

const char *table_text(struct table *t, const char *s)
{
	size_t n = strlen(s) + 1;
	struct table_text *x = t->texts;
	char *to;

	if (n == 1) return "";
	if (!x || x->size - x->used < n) {
		size_t size = n > TEXT_CHUNK ? n : TEXT_CHUNK;
		x = xmalloc(sizeof *x + size);
		*x = (struct table_text){ .next = t->texts, .size = size };
		t->texts = x;
	}
	to = memcpy(x->bytes + x->used, s, n);
	x->used += n;
	/* the lines of a detail stay lines */
	for (char *line = to, *end; line; line = end ? end + 1 : NULL) {
		if ((end = strchr(line, '\n'))) *end = 0;
		plain_text(line);
		if (end) *end = '\n';
	}
	return to;
}

void table_note(struct table *t, const char *fmt, ...)
{
	char buf[TABLE_CELL];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	t->note = table_text(t, buf);
}

uint64_t table_id(uint64_t seed, const char *s)
{
	uint64_t h = seed ^ UINT64_C(0xcbf29ce484222325);

	for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

const struct table_row *table_find(const struct table *t, uint64_t id)
{
	for (size_t i = 0; i < t->nrows; i++)
		if (t->row[i].id == id) return &t->row[i];
	return NULL;
}

struct keyed { uint64_t id; size_t index; };

static int by_id(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	if (x->id != y->id) return x->id < y->id ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

static struct keyed *keyed(const struct table *t)
{
	struct keyed *k = xcalloc(t->nrows + 1, sizeof *k);

	for (size_t i = 0; i < t->nrows; i++) k[i] = (struct keyed){ t->row[i].id, i };
	qsort(k, t->nrows, sizeof *k, by_id);
	return k;
}

static struct table_row *copy_row(struct table *to, const struct table_row *r)
{
	struct table_row *n = table_add(to, r->id);

	n->depth = r->depth;
	n->detail = r->detail ? table_text(to, r->detail) : NULL;
	for (unsigned c = 0; c < to->shape->ncolumns; c++) {
		if (to->shape->column[c].kind == FIGURE_TEXT) n->cell[c].text = table_text(to, r->cell[c].text);
		else n->cell[c] = r->cell[c];
	}
	return n;
}

static int subtracts(const struct table_column *c)
{
	return c->kind != FIGURE_TEXT && !(c->flags & COLUMN_FIXED);
}

static void subtract(const struct table_shape *s, struct table_row *r, const struct table_row *base)
{
	for (unsigned c = 0; c < s->ncolumns; c++)
		if (subtracts(&s->column[c])) r->cell[c].number -= base->cell[c].number;
}

struct table *table_difference(const struct table *now, const struct table *base)
{
	struct table *t = table_new(now->shape);
	struct keyed *k = keyed(base);
	unsigned char *seen = xcalloc(base->nrows + 1, 1);

	t->note = table_text(t, now->note);
	for (size_t i = 0; i < now->nrows; i++) {
		struct table_row *r = copy_row(t, &now->row[i]);
		struct keyed want = { r->id, 0 };
		size_t lo = 0, hi = base->nrows;
		while (lo < hi) {
			size_t mid = (lo + hi) / 2;
			if (by_id(&k[mid], &want) < 0) lo = mid + 1;
			else hi = mid;
		}
		if (lo == base->nrows || k[lo].id != r->id) continue;
		seen[k[lo].index] = 1;
		subtract(t->shape, r, &base->row[k[lo].index]);
	}
	for (size_t i = 0; i < base->nrows; i++) {
		if (seen[i]) continue;
		struct table_row *r = copy_row(t, &base->row[i]);
		r->depth = 0;
		for (unsigned c = 0; c < t->shape->ncolumns; c++)
			if (subtracts(&t->shape->column[c])) r->cell[c].number = -r->cell[c].number;
	}
	free(seen);
	free(k);
	return t;
}

static void clock_text(double v, char *buf)
{
	time_t at = (time_t)v;
	struct tm tm;

	if (!localtime_r(&at, &tm) || !strftime(buf, TABLE_CELL, "%H:%M:%S", &tm)) strcpy(buf, "-");
}

void table_cell(const struct table_column *c, const union table_cell *v, int difference, char buf[TABLE_CELL])
{
	double x = c->kind == FIGURE_TEXT ? 0 : v->number;
	int sign = difference && !(c->flags & COLUMN_FIXED) && c->kind != FIGURE_TEXT;

	if (c->kind == FIGURE_TEXT) {
		snprintf(buf, TABLE_CELL, "%s", v->text);
		plain_text(buf);        /* the cut may have split a character */
		return;
	}
	if (isnan(x)) {
		strcpy(buf, c->kind == FIGURE_BAR ? "" : "-");
		return;
	}
	/* what reads as zero has no sign */
	if (c->kind == FIGURE_SHARE && fabs(x) < 0.0005) x = 0;
	if (sign && x > 0) *buf++ = '+';
	switch (c->kind) {
	case FIGURE_BYTES: units_bytes(x, buf); break;
	case FIGURE_COUNT: units_count(x, buf); break;
	case FIGURE_SECONDS: units_seconds(x, buf); break;
	case FIGURE_SHARE: snprintf(buf, UNITS_MAX, fabs(x) < 0.9995 ? "%.1f%%" : "%.0f%%", 100 * x); break;
	case FIGURE_NUMBER: snprintf(buf, UNITS_MAX, "%.0f", x); break;
	case FIGURE_ADDRESS: snprintf(buf, UNITS_MAX, "%" PRIx64, (uint64_t)x); break;
	case FIGURE_CLOCK: clock_text(x, buf); break;
	case FIGURE_BAR: case FIGURE_TEXT: *buf = 0; break;
	}
}

struct sorting { const struct table *t; unsigned column; int ascending; };

static int by_cell(const void *a, const void *b, void *arg)
{
	const struct sorting *s = arg;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const union table_cell *x = &s->t->row[i].cell[s->column], *y = &s->t->row[k].cell[s->column];
	int c;

	if (s->t->shape->column[s->column].kind == FIGURE_TEXT) {
		c = strcmp(x->text, y->text);
	} else {
		if (isnan(x->number) || isnan(y->number)) c = isnan(x->number) - isnan(y->number);
		else c = (x->number > y->number) - (x->number < y->number);
		if (isnan(x->number) != isnan(y->number)) return c;
	}
	if (!s->ascending) c = -c;
	return c ? c : (i > k) - (i < k);
}

/* The rows [from, to), which are of one depth and of what is below: into out, which is as long. */
static void order_branch(const struct sorting *s, size_t from, size_t to, size_t *out)
{
	const struct table_row *row = s->t->row;
	size_t *head = xcalloc(to - from + 1, sizeof *head), n = 0, at = 0;

	for (size_t i = from; i < to; i++)
		if (row[i].depth <= row[from].depth) head[n++] = i;
	qsort_r(head, n, sizeof *head, by_cell, (void *)s);
	for (size_t i = 0; i < n; i++) {
		size_t end = head[i] + 1;
		while (end < to && row[end].depth > row[from].depth) end++;
		out[at++] = head[i];
		if (end > head[i] + 1) order_branch(s, head[i] + 1, end, out + at);
		at += end - head[i] - 1;
	}
	free(head);
}

size_t *table_order(const struct table *t, unsigned column, int ascending)
{
	size_t *order = xcalloc(t->nrows + 1, sizeof *order);
	struct sorting s = { t, column, ascending };

	for (size_t i = 0; i < t->nrows; i++) order[i] = i;
	if (column < t->shape->ncolumns && t->nrows) order_branch(&s, 0, t->nrows, order);
	return order;
}

unsigned table_column_find(const struct table_shape *s, const char *name)
{
	unsigned i = 0;

	while (i < s->ncolumns && strcmp(s->column[i].name, name)) i++;
	return i;
}
