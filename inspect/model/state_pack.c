/* state_pack.c: a state as bytes and back: a piece with the names of figures and texts and what they hold, and one for each table, likewise;
 * each piece is its size, that of its deflated bytes, and these. Unknown names are skipped, missing ones stay unknown, so that recordings
 * outlive this version. What is read is hostile: every length is checked. */
#include "inspect/model/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { RAW_MAX = 64 << 20, ROWS_MAX = 1 << 17, DEPTH_MAX = 512, PIECE_HEAD = 16 };

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

/* Whole numbers, which most are, take a few bytes; and what is none is an estimate: seven digits of it. */
static void put_figure(struct bytes *b, double v)
{
	float f = (float)v;

	if (v >= 0 && v < 9e15 && v == floor(v)) {
		put_number(b, ((uint64_t)v << 1) | 1);
	} else if (fabs(v) > 1e-30 && fabs(v) < 1e30) {
		put_number(b, 2);
		put(b, &f, sizeof f);
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

/* raw, as a piece: its sizes in front. Frees what raw holds. */
static void *deflated(struct bytes *raw, size_t *n)
{
	uLongf size = compressBound(raw->n);
	unsigned char *out = xmalloc(size + PIECE_HEAD);
	uint64_t head[2];

	compress2(out + PIECE_HEAD, &size, raw->p, raw->n, 1);
	head[0] = raw->n;
	head[1] = size;
	memcpy(out, head, PIECE_HEAD);
	free(raw->p);
	*n = size + PIECE_HEAD;
	return xreallocarray(out, *n, 1);
}

static void pack_table(struct table *t)
{
	struct bytes raw = { 0 };

	if (t->packed) return;
	put_table(&raw, t);
	t->packed = deflated(&raw, &t->npacked);
}

void *state_pack(const struct state *s, size_t *n)
{
	struct bytes b = { 0 }, all = { 0 };
	unsigned texts = 0, figures = 0, tables = 0;

	put_number(&b, (uint64_t)s->pid);
	put(&b, &s->at, sizeof s->at);
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

	size_t size;
	void *head = deflated(&b, &size);
	put(&all, head, size);
	free(head);
	for (int i = 0; i < STATE_TABLES; i++) {
		if (!s->table[i]) continue;
		pack_table(s->table[i]);
		put(&all, s->table[i]->packed, s->table[i]->npacked);
	}
	*n = all.n;
	return xreallocarray(all.p, all.n, 1);
}

/* What is left to read; `bad` once anything did not fit. */
struct reading { unsigned char *start; const unsigned char *p, *end; int bad; struct bytes word; };

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
	float f;

	if (v & 1) return (double)(v >> 1);
	if (v == 2) {
		get(r, &f, sizeof f);
		d = (double)f;
	} else {
		get(r, &d, sizeof d);
	}
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

static void get_head(struct reading *r, struct state *s)
{
	uint64_t n;

	s->pid = (pid_t)(get_number(r) & INT32_MAX);
	get(r, &s->at, sizeof s->at);
	if (!isfinite(s->at)) r->bad = 1;
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
}

/* The piece at *at into r, whose buffer the caller frees; *at is behind it then. `room`: what pieces may still take. */
static int inflated(const unsigned char **at, const unsigned char *end, uint64_t *room, struct reading *r, struct err *e)
{
	uint64_t head[2];
	size_t left = (size_t)(end - *at);

	if (left < PIECE_HEAD) return err_set(e, ERR_FAIL, "a recorded moment is damaged: it ends early");
	memcpy(head, *at, PIECE_HEAD);
	if (!head[0] || head[0] > *room || head[1] > left - PIECE_HEAD)
		return err_set(e, ERR_FAIL, "a recorded moment is damaged: a piece of %llu bytes is none of alloctop's", (unsigned long long)head[0]);
	unsigned char *buf = xmalloc(head[0]);
	uLongf size = head[0];
	if (uncompress(buf, &size, *at + PIECE_HEAD, head[1]) != Z_OK || size != head[0]) {
		free(buf);
		return err_set(e, ERR_FAIL, "a recorded moment is damaged: it does not decompress");
	}
	*at += PIECE_HEAD + head[1];
	*room -= head[0];
	r->start = buf;
	r->p = buf;
	r->end = buf + size;
	return 0;
}

struct state *state_unpack(const void *bytes, size_t n, const struct table_shape *const shapes[STATE_TABLES], struct err *e)
{
	const unsigned char *at = bytes, *end = at + n;
	struct state *s = state_new();
	struct reading r = { 0 };
	uint64_t room = RAW_MAX, tables = 0;
	int bad = inflated(&at, end, &room, &r, e);

	if (!bad) {
		get_head(&r, s);
		tables = get_number(&r);
		free(r.start);
	}
	for (uint64_t i = 0; i < tables && !r.bad && !bad; i++) {
		if ((bad = inflated(&at, end, &room, &r, e))) break;
		get_table(&r, s, shapes);
		free(r.start);
	}
	if (!bad && (r.bad || at < end)) bad = err_set(e, ERR_FAIL, "a recorded moment is damaged: it does not hold what it names");
	free(r.word.p);
	if (!bad) return s;
	state_leave(s);
	return NULL;
}
