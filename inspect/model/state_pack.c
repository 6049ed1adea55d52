/* state_pack.c: a state as bytes and back: names of figures, texts, tables and columns with what they hold, deflated. Unknown names are
 * skipped, missing ones stay unknown, so that recordings outlive this version. What is read is hostile: every length is checked. */
#include "inspect/model/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { RAW_MAX = 64 << 20, ROWS_MAX = 1 << 17, DEPTH_MAX = 512 };

static const char *const figure_name[STATE_FIGURES] = {
	[STATE_RSS] = "rss", [STATE_VM] = "vm", [STATE_THREADS] = "threads", [STATE_UPTIME] = "uptime", [STATE_LIVE] = "live", [STATE_OBJECTS] = "objects",
	[STATE_ROUNDING] = "rounding", [STATE_CACHED] = "cached", [STATE_FREE] = "free", [STATE_METADATA] = "metadata", [STATE_OTHER] = "other",
	[STATE_RETAINED] = "retained", [STATE_SWAPPED] = "swapped", [STATE_ARENAS] = "arenas", [STATE_HEAP_AGE] = "heap_age",
	[STATE_LIVE_RESIDENT] = "live_resident", [STATE_SAMPLED] = "sampled", [STATE_SAMPLED_ERROR] = "sampled_error",
	[STATE_SAMPLED_OBJECTS] = "sampled_objects", [STATE_RATE] = "rate", [STATE_RATE_OBJECTS] = "rate_objects", [STATE_RATE_INTERVAL] = "rate_interval",
	[STATE_AGENT_AGE] = "agent_age", [STATE_SAMPLE_RATE] = "sample_rate", [STATE_LOST] = "lost", [STATE_LOCK_COST] = "lock_cost",
	[STATE_LOCK_ERROR] = "lock_error", [STATE_ALL_LOCKS] = "all_locks", [STATE_ATTACHED] = "attached", [STATE_INNER_PID] = "inner_pid",
	[STATE_RATE_ERROR] = "rate_error",
};

static const char *const text_name[STATE_TEXTS] = { "program", "user", "allocator", "agent", "notes", "locks", "verdict", "gone" };

struct bytes { unsigned char *p; size_t n, cap; };

static void put(struct bytes *b, const void *p, size_t n)
{
	if (b->cap - b->n < n) {
		b->cap = 2 * (b->n + n) + 4096;
		b->p = xreallocarray(b->p, b->cap, 1);
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void put_number(struct bytes *b, uint64_t v)
{
	unsigned char byte[10];
	size_t n = 0;

	do byte[n++] = (unsigned char)((v & 127) | (v > 127 ? 128 : 0)); while (v >>= 7);
	put(b, byte, n);
}

/* Whole numbers, which most are, take a few bytes. */
static void put_figure(struct bytes *b, double v)
{
	if (v >= 0 && v < 9e15 && v == floor(v)) {
		put_number(b, ((uint64_t)v << 1) | 1);
	} else {
		put_number(b, 0);
		put(b, &v, sizeof v);
	}
}

static void put_text(struct bytes *b, const char *s)
{
	size_t n = strlen(s);

	put_number(b, n);
	put(b, s, n);
}

static void put_table(struct bytes *b, const struct table *t)
{
	const struct table_shape *s = t->shape;

	put_text(b, s->name);
	put_text(b, t->note);
	put_number(b, s->ncolumns);
	for (unsigned c = 0; c < s->ncolumns; c++) {
		put_text(b, s->column[c].name);
		put_number(b, s->column[c].kind == FIGURE_TEXT);
	}
	put_number(b, t->nrows);
	for (size_t i = 0; i < t->nrows; i++) {
		const struct table_row *r = &t->row[i];
		put(b, &r->id, sizeof r->id);
		put_number(b, r->depth);
		put_text(b, r->detail ? r->detail : "");
		for (unsigned c = 0; c < s->ncolumns; c++) {
			if (s->column[c].kind == FIGURE_TEXT) put_text(b, r->cell[c].text);
			else put_figure(b, r->cell[c].number);
		}
	}
}

void *state_pack(const struct state *s, size_t *n)
{
	struct bytes b = { 0 };
	unsigned tables = 0, texts = 0, figures = 0;

	put_number(&b, (uint64_t)s->pid);
	put_figure(&b, s->at);
	for (int i = 0; i < STATE_FIGURES; i++) figures += !isnan(s->figure[i]);
	put_number(&b, figures);
	for (int i = 0; i < STATE_FIGURES; i++)
		if (!isnan(s->figure[i])) put_text(&b, figure_name[i]), put_figure(&b, s->figure[i]);
	for (int i = 0; i < STATE_TEXTS; i++) texts += *s->text[i] != 0;
	put_number(&b, texts);
	for (int i = 0; i < STATE_TEXTS; i++)
		if (*s->text[i]) put_text(&b, text_name[i]), put_text(&b, s->text[i]);
	for (int i = 0; i < STATE_TABLES; i++) tables += s->table[i] != NULL;
	put_number(&b, tables);
	for (int i = 0; i < STATE_TABLES; i++)
		if (s->table[i]) put_table(&b, s->table[i]);

	uLongf size = compressBound(b.n);
	unsigned char *out = xmalloc(size + 8);
	uint64_t raw = b.n;
	memcpy(out, &raw, 8);
	compress2(out + 8, &size, b.p, b.n, 1);
	free(b.p);
	*n = size + 8;
	return xreallocarray(out, *n, 1);
}

/* What is left to read; `bad` once anything did not fit. */
struct reading { const unsigned char *p, *end; int bad; struct bytes word; };

static uint64_t get_number(struct reading *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (r->p == r->end) break;
		unsigned char c = *r->p++;
		v |= (uint64_t)(c & 127) << shift;
		if (!(c & 128)) return v;
	}
	r->bad = 1;
	return 0;
}

static void get(struct reading *r, void *to, size_t n)
{
	if ((size_t)(r->end - r->p) < n) {
		r->bad = 1;
		memset(to, 0, n);
		return;
	}
	memcpy(to, r->p, n);
	r->p += n;
}

static double get_figure(struct reading *r)
{
	uint64_t v = get_number(r);
	double d = NAN;

	if (v & 1) return (double)(v >> 1);
	get(r, &d, sizeof d);
	return isfinite(d) ? d : NAN;
}

/* Valid until the next one. */
static const char *get_text(struct reading *r)
{
	uint64_t n = get_number(r);
	static const char nul;

	if (n > (size_t)(r->end - r->p)) {
		r->bad = 1;
		return "";
	}
	r->word.n = 0;
	put(&r->word, r->p, n);
	put(&r->word, &nul, 1);
	r->p += n;
	return (const char *)r->word.p;
}

static int find(const char *const *names, int n, const char *s)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], s)) return i;
	return -1;
}

static void get_row(struct reading *r, struct table *t, const unsigned *column, const unsigned char *text, unsigned n)
{
	uint64_t id = 0;

	get(r, &id, sizeof id);
	struct table_row *row = t ? table_add(t, id) : NULL;
	uint64_t depth = get_number(r);
	const char *detail = get_text(r);
	if (row) row->depth = depth < DEPTH_MAX ? (unsigned)depth : DEPTH_MAX;
	if (row && *detail) row->detail = table_text(t, detail);
	for (unsigned c = 0; c < n && !r->bad; c++) {
		const char *s = text[c] ? get_text(r) : NULL;
		double d = text[c] ? 0 : get_figure(r);
		if (!row || column[c] >= t->shape->ncolumns || (t->shape->column[column[c]].kind == FIGURE_TEXT) != text[c]) continue;
		if (s) row->cell[column[c]].text = table_text(t, s);
		else row->cell[column[c]].number = d;
	}
}

static void get_table(struct reading *r, struct state *s, const struct table_shape *const shapes[STATE_TABLES])
{
	const char *name = get_text(r);
	unsigned column[64];
	unsigned char text[64];
	int which = -1;

	for (int i = 0; i < STATE_TABLES; i++)
		if (shapes[i] && !strcmp(shapes[i]->name, name)) which = i;
	struct table *t = which >= 0 ? table_new(shapes[which]) : NULL;
	const char *note = get_text(r);
	if (t) t->note = table_text(t, note);
	uint64_t n = get_number(r), rows;
	if (n > 64) r->bad = 1;
	for (unsigned c = 0; c < n && !r->bad; c++) {
		const char *title = get_text(r);
		column[c] = t ? table_column_find(t->shape, title) : 0;
		text[c] = get_number(r) != 0;
	}
	if ((rows = get_number(r)) > ROWS_MAX) r->bad = 1;
	for (uint64_t i = 0; i < rows && !r->bad; i++) get_row(r, t, column, text, (unsigned)n);
	if (!t) return;
	table_leave(s->table[which]);
	s->table[which] = t;
}

static void get_state(struct reading *r, struct state *s, const struct table_shape *const shapes[STATE_TABLES])
{
	uint64_t n;

	s->pid = (pid_t)(get_number(r) & INT32_MAX);
	s->at = get_figure(r);
	if (isnan(s->at)) r->bad = 1;
	n = get_number(r);
	for (uint64_t i = 0; i < n && !r->bad; i++) {
		int which = find(figure_name, STATE_FIGURES, get_text(r));
		double v = get_figure(r);
		if (which >= 0) s->figure[which] = v;
	}
	n = get_number(r);
	for (uint64_t i = 0; i < n && !r->bad; i++) {
		int which = find(text_name, STATE_TEXTS, get_text(r));
		const char *v = get_text(r);
		if (which >= 0) state_say(s, (enum state_text)which, "%s", v);
	}
	n = get_number(r);
	for (uint64_t i = 0; i < n && !r->bad; i++) get_table(r, s, shapes);
}

struct state *state_unpack(const void *bytes, size_t n, const struct table_shape *const shapes[STATE_TABLES], struct err *e)
{
	uint64_t raw = 0;

	if (n > 8) memcpy(&raw, bytes, 8);
	if (!raw || raw > RAW_MAX) {
		err_set(e, ERR_FAIL, "a recorded moment of %llu bytes is none of alloctop's", (unsigned long long)raw);
		return NULL;
	}
	unsigned char *buf = xmalloc(raw);
	uLongf size = raw;
	if (uncompress(buf, &size, (const unsigned char *)bytes + 8, n - 8) != Z_OK || size != raw) {
		free(buf);
		err_set(e, ERR_FAIL, "a recorded moment is damaged: it does not decompress");
		return NULL;
	}
	struct reading r = { .p = buf, .end = buf + raw };
	struct state *s = state_new();
	get_state(&r, s, shapes);
	free(r.word.p);
	free(buf);
	if (!r.bad) return s;
	state_leave(s);
	err_set(e, ERR_FAIL, "a recorded moment is damaged: it ends early or names more than it holds");
	return NULL;
}
