/* history.c: tables and their differences, states as bytes and back, bounded history, recordings, hostile recordings, events. */
/* LINK: inspect/model/history.c inspect/model/state.c inspect/model/state_pack.c inspect/model/table.c inspect/model/events.c inspect/model/plain.c inspect/model/units.c inspect/target/xalloc.c inspect/target/err.c */
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "inspect/model/events.h"
#include "inspect/model/history.h"
#include "inspect/model/state.h"
#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "tests/tap.h"

static const struct table_column column[] = {
	{ "bytes", "BYTES", 6, FIGURE_BYTES, 0, "" }, { "error", "±", 5, FIGURE_BYTES, COLUMN_FIXED, "" }, { "name", "NAME", 0, FIGURE_TEXT, 0, "" },
};
static const struct table_shape shape = { "sites", column, 3, 0 }, fewer = { "sites", column + 2, 1, 0 };
static const struct table_shape *shapes[STATE_TABLES] = { [STATE_SITES] = &shape };

static void add(struct table *t, const char *name, double bytes)
{
	struct table_row *r = table_add(t, table_id(0, name));

	r->cell[0].number = bytes;
	r->cell[1].number = 7;
	r->cell[2].text = table_text(t, name);
}

static struct state *make(double at)
{
	struct state *s = state_new();
	struct table *t = s->table[STATE_SITES] = table_new(&shape);

	s->pid = 42;
	s->at = at;
	s->figure[STATE_RSS] = at * 1000.5;
	state_say(s, STATE_PROGRAM, "prog\033[2J");
	add(t, "alpha", 100);
	add(t, "beta", NAN);
	t->row[0].detail = table_text(t, "one\ntwo");
	table_note(t, "a note");
	return s;
}

static const char *cell(const struct table *t, size_t row, unsigned c, int difference)
{
	static char buf[TABLE_CELL];

	table_cell(&t->shape->column[c], &t->row[row].cell[c], difference, buf);
	return buf;
}

static void tables(void)
{
	struct table *a = table_new(&shape), *b = table_new(&shape), *d;
	size_t *order;

	add(a, "alpha", 300), add(a, "beta", 10), add(a, "new", 5), add(a, "dark", NAN);
	add(b, "beta", 30), add(b, "gone", 8), add(b, "alpha", 100), add(b, "dark", 3);
	d = table_difference(a, b);
	ok(d->nrows == 5, "rows of both");
	ok(!strcmp(cell(d, 0, 0, 1), "+200"), "more");
	ok(!strcmp(cell(d, 1, 0, 1), "-20"), "less");
	ok(!strcmp(cell(d, 2, 0, 1), "+5"), "new: all of it");
	ok(!strcmp(cell(d, 3, 0, 1), "-"), "unknown stays unknown");
	ok(!strcmp(cell(d, 4, 0, 1), "-8") && !strcmp(d->row[4].cell[2].text, "gone"), "gone: minus what it was");
	ok(!strcmp(cell(d, 0, 1, 1), "7"), "what is no sum is not subtracted");
	order = table_order(a, 0, 0);
	ok(order[0] == 0 && order[1] == 1 && order[2] == 2 && order[3] == 3, "largest first, unknown last");
	free(order);
	order = table_order(a, 0, 1);
	ok(order[0] == 2 && order[2] == 0 && order[3] == 3, "the other way round, unknown last");
	free(order);
	table_leave(a), table_leave(b), table_leave(d);
}

static void packing(void)
{
	struct state *s = make(1000), *u;
	struct err e = { 0 };
	size_t n;
	unsigned char *bytes = state_pack(s, &n);

	u = state_unpack(bytes, n, shapes, &e);
	ok(u && u->pid == 42 && u->at == 1000 && u->figure[STATE_RSS] == s->figure[STATE_RSS], "figures come back");
	ok(u && isnan(u->figure[STATE_LIVE]), "what was unknown is unknown");
	ok(u && !strcmp(u->text[STATE_PROGRAM], "prog?[2J"), "words come back, plain");
	struct table *t = u ? u->table[STATE_SITES] : NULL;
	ok(t && t->nrows == 2 && t->row[0].cell[0].number == 100 && isnan(t->row[1].cell[0].number) && !strcmp(t->row[1].cell[2].text, "beta"), "so do tables");
	ok(t && !strcmp(t->note, "a note") && !strcmp(t->row[0].detail, "one\ntwo") && !t->row[1].detail, "note and detail, its lines");
	state_leave(u);
	const struct table_shape *other[STATE_TABLES] = { [STATE_MAPS] = &fewer };
	u = state_unpack(bytes, n, other, &e);
	ok(u && u->table[STATE_MAPS] && u->table[STATE_MAPS]->nrows == 2 && !strcmp(u->table[STATE_MAPS]->row[0].cell[0].text, "alpha"), "columns are found by name, those not known left out");
	state_leave(u);

	int refused = 0, tried = 0;
	for (size_t cut = 0; cut < n; cut++, tried++) {
		u = state_unpack(bytes, cut, shapes, &e);
		refused += !u && *e.text;
		state_leave(u);
	}
	ok(refused == tried, "cut anywhere: refused");
	free(bytes);
	state_leave(s);
}

/* The piece that begins at `from` changed, each byte of its raw form in turn: how often that was survived. */
static int spoil(const unsigned char *bytes, size_t n, size_t from)
{
	uint64_t head[2];
	struct err e;
	int survived = 0;

	memcpy(head, bytes + from, sizeof head);
	uLongf raw = head[0], size;
	size_t behind = from + sizeof head + head[1];
	unsigned char *plain = malloc(raw), *again = malloc(n + compressBound(raw));
	uncompress(plain, &raw, bytes + from + sizeof head, head[1]);
	for (size_t i = 0; i < raw; i++)
		for (int v = 0; v < 256; v += 51) {
			unsigned char old = plain[i];
			plain[i] = (unsigned char)v;
			size = compressBound(raw);
			memcpy(again, bytes, from);
			compress2(again + from + sizeof head, &size, plain, raw, 0);
			head[1] = size;
			memcpy(again + from, head, sizeof head);
			memcpy(again + from + sizeof head + size, bytes + behind, n - behind);
			plain[i] = old;
			state_leave(state_unpack(again, from + sizeof head + size + n - behind, shapes, &e));
			survived++;
		}
	free(plain), free(again);
	return survived;
}

/* What decompresses and is nonsense may be refused or be read as something else. */
static void nonsense(void)
{
	struct state *s = make(1000);
	uint64_t head[2];
	size_t n;
	unsigned char *bytes = state_pack(s, &n);

	memcpy(head, bytes, sizeof head);
	int words = spoil(bytes, n, 0), tables = spoil(bytes, n, sizeof head + head[1]);
	ok(words > 100 && tables > 400, "nonsense is survived, %d and %d times", words, tables);
	free(bytes);
	state_leave(s);
}

/* A table that is in two states is packed once, and the same in both. */
static void shared(void)
{
	struct state *a = make(1), *b = state_new(), *u;
	struct err e;
	size_t na, nb;

	b->at = 2;
	b->table[STATE_SITES] = table_use(a->table[STATE_SITES]);
	void *first = state_pack(a, &na), *kept = a->table[STATE_SITES]->packed, *second = state_pack(b, &nb);
	ok(kept && b->table[STATE_SITES]->packed == kept, "a shared table is packed once");
	u = state_unpack(second, nb, shapes, &e);
	ok(u && u->at == 2 && u->table[STATE_SITES] && u->table[STATE_SITES]->nrows == 2, "and comes back in both");
	state_leave(u), state_leave(a), state_leave(b);
	free(first), free(second);
}

static void bounded(void)
{
	struct state *s = make(1);
	size_t n;
	double figure[8];

	free(state_pack(s, &n));
	state_leave(s);
	struct history *h = history_new(shapes, n * 10);
	for (int i = 0; i < 500; i++) {
		s = make(i);
		history_add(h, s);
		state_leave(s);
	}
	ok(history_count(h) >= 5 && history_count(h) <= 12, "as many as fit: %zu", history_count(h));
	ok(history_at(h, history_count(h) - 1) == 499, "the newest are kept");
	s = history_get(h, 0);
	ok(s && s->at == history_at(h, 0) && s->table[STATE_SITES]->nrows == 2, "the oldest is whole");
	state_leave(s);
	ok(!history_get(h, history_count(h)), "there is none behind the newest");
	ok(history_figures(h, STATE_RSS, 0, figure, 8) == 8 && figure[7] == (double)(float)(499 * 1000.5), "figures, the newest last");
	ok(history_figures(h, STATE_RSS, 100, figure, 8) == 8 && figure[7] == (double)(float)(399 * 1000.5), "also of moments that have gone");
	ok(isnan((history_figures(h, STATE_LIVE, 0, figure, 8), figure[3])), "unknown figures are unknown");
	history_free(h);
}

static void recordings(void)
{
	char path[] = "/tmp/alloctop-history-XXXXXX";
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");
	struct err e = { 0 };
	struct history *h = history_new(shapes, 1 << 20);

	ok(history_read(h, path, &e) == -1 && strstr(e.text, "not a recording"), "an empty file is refused");
	history_write_head(f, &e);
	ok(history_read(h, path, &e) == -1 && strstr(e.text, "without a whole moment"), "so is one without a moment");
	for (int i = 0; i < 3; i++) {
		struct state *s = make(10 + i);
		history_write(f, s, &e);
		state_leave(s);
	}
	ok(!history_read(h, path, &e) && history_count(h) == 3 && history_at(h, 2) == 12 && !history_torn(h), "what was recorded is read");
	history_free(h);
	h = history_new(shapes, 1 << 20);
	ok(!ftruncate(fd, ftell(f) - 5) && !history_read(h, path, &e) && history_count(h) == 2 && history_torn(h), "a torn end is left out, and known");
	history_free(h);
	fclose(f);
	unlink(path);
}

static void hear(void *arg, const char *text)
{
	char *all = arg;

	strcat(strcat(all, text), "\n");
}

static void events(void)
{
	struct state *a = state_new(), *b = state_new();
	char said[2000] = "";

	events_between(a, b, hear, said);
	ok(!*said, "of the unknown nothing is said");
	a->figure[STATE_RSS] = 100 << 20, b->figure[STATE_RSS] = 105 << 20;
	a->figure[STATE_THREADS] = 4, b->figure[STATE_THREADS] = 5;
	events_between(a, b, hear, said);
	ok(!*said, "nor of the ordinary");
	b->figure[STATE_RSS] = 200 << 20, b->figure[STATE_THREADS] = 40;
	a->figure[STATE_ARENAS] = 1, b->figure[STATE_ARENAS] = 3;
	events_between(a, b, hear, said);
	ok(strstr(said, "RSS jumped by 100M, from 100M to 200M"), "a jump of memory");
	ok(strstr(said, "36 threads began: 40 now"), "threads");
	ok(strstr(said, "2 new arenas: 3 now"), "arenas");
	state_leave(a), state_leave(b);
}

int main(void)
{
	tables();
	packing();
	nonsense();
	shared();
	bounded();
	recordings();
	events();
	return done();
}
