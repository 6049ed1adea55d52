/* surface.c: see surface.h. Characters are as wide as the locale says. */
#include "tui/surface.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "inspect/target/xalloc.h"

enum { ROWS_MAX = 1000, COLUMNS_MAX = 2000 };

struct surface *surface_new(unsigned rows, unsigned columns, int ascii)
{
	struct surface *s = xcalloc(1, sizeof *s);

	s->rows = rows < 1 ? 1 : rows > ROWS_MAX ? ROWS_MAX : rows;
	s->columns = columns < 1 ? 1 : columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
	s->ascii = ascii;
	s->cell = xcalloc((size_t)s->rows * s->columns, sizeof *s->cell);
	surface_clear(s);
	return s;
}

void surface_free(struct surface *s)
{
	if (!s) return;
	free(s->cell);
	free(s);
}

void surface_clear(struct surface *s)
{
	for (size_t i = 0; i < (size_t)s->rows * s->columns; i++) s->cell[i] = (struct cell){ .c = ' ' };
}

static struct cell *at(const struct surface *s, unsigned row, unsigned column)
{
	return row < s->rows && column < s->columns ? &s->cell[(size_t)row * s->columns + column] : NULL;
}

/* The character at *p, which moves on. What is no UTF-8 counts byte by byte. */
static uint32_t next(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	unsigned n = *s < 0x80 ? 0 : *s >> 5 == 6 ? 1 : *s >> 4 == 14 ? 2 : *s >> 3 == 30 ? 3 : 0;
	uint32_t c = n ? *s & (0x3fu >> n) : *s;

	for (unsigned i = 1; i <= n; i++) {
		if (s[i] >> 6 != 2) {
			n = 0;
			break;
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += n + 1;
	return !n && *s >= 0x80 ? '?' : c;
}

static unsigned width_of(uint32_t c)
{
	int w = c < 0x20 || c == 0x7f ? 1 : c < 0x7f ? 1 : wcwidth((wchar_t)c);

	return w < 0 ? 1 : (unsigned)w;
}

unsigned surface_width(const char *text)
{
	unsigned n = 0;

	while (*text) n += width_of(next(&text));
	return n;
}

/* What stands for it where there is ASCII only. */
static uint32_t plain(uint32_t c)
{
	static const struct { uint32_t from; char to; } stand[] = {
		{ 0xb1, '~' }, { 0x2026, '.' }, { 0x25b2, '^' }, { 0x25bc, 'v' }, { 0x25b8, '+' }, { 0x25be, '-' }, { 0x2502, '|' }, { 0x2500, '-' },
		{ 0x2588, '#' }, { 0x2593, '%' }, { 0x2592, '=' }, { 0x2591, '-' }, { 0x2219, ':' }, { 0xb7, '.' }, { 0x394, 'd' },
	};

	for (size_t i = 0; i < sizeof stand / sizeof *stand; i++)
		if (stand[i].from == c) return (unsigned char)stand[i].to;
	return '?';
}

/* The other half of a wide character that is half overwritten becomes blank. */
static void mend(struct surface *s, unsigned row, unsigned column)
{
	struct cell *c = at(s, row, column), *right = at(s, row, column + 1);

	if (c && !c->c && column) at(s, row, column - 1)->c = ' ';
	if (c && c->c && right && !right->c) right->c = ' ';
}

unsigned surface_put(struct surface *s, unsigned row, unsigned column, unsigned most, enum style style, const char *text)
{
	unsigned end = most < s->columns - (column < s->columns ? column : s->columns) ? column + most : s->columns, last = column;

	while (*text && row < s->rows) {
		uint32_t c = next(&text);
		unsigned w;
		if (c < 0x20 || c == 0x7f) c = '?';
		w = width_of(c);
		if (s->ascii && c > 0x7e) {
			if (!w) continue;
			c = plain(c);
			w = 1;
		}
		if (!w) {
			struct cell *under = column > 0 ? at(s, row, last) : NULL;
			for (int i = 0; under && column > last && i < SURFACE_MARKS; i++)
				if (!under->mark[i]) {
					under->mark[i] = c;
					break;
				}
			continue;
		}
		if (column + w > end) break;
		mend(s, row, column);
		if (w > 1) mend(s, row, column + 1);
		*at(s, row, column) = (struct cell){ .c = c, .style = (uint8_t)style };
		if (w > 1) *at(s, row, column + 1) = (struct cell){ .style = (uint8_t)style };
		last = column;
		column += w;
	}
	return column;
}

unsigned surface_print(struct surface *s, unsigned row, unsigned column, enum style style, const char *fmt, ...)
{
	char buf[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof buf, fmt, ap);
	va_end(ap);
	return surface_put(s, row, column, s->columns, style, buf);
}

unsigned surface_cut(struct surface *s, unsigned row, unsigned column, unsigned most, enum style style, const char *text)
{
	if (column >= s->columns) return column;
	if (most > s->columns - column) most = s->columns - column;
	if (surface_width(text) <= most || most < 3) return surface_put(s, row, column, most, style, text);
	return surface_put(s, row, surface_put(s, row, column, most - 2, style, text), 2, style, "..");
}

unsigned surface_tail(struct surface *s, unsigned row, unsigned column, unsigned most, enum style style, const char *text)
{
	unsigned width = surface_width(text), room;

	if (column >= s->columns) return column;
	room = most < s->columns - column ? most : s->columns - column;
	if (width <= room || room < 3) return surface_put(s, row, column, room, style, text);
	while (width > room - 2) width -= width_of(next(&text));
	column = surface_put(s, row, column, 2, style, "..");
	return surface_put(s, row, column, room - 2, style, text);
}

/* Bytes of a text that take up to `most` columns, to a blank where there is one in the second half. */
static size_t line_of(const char *text, unsigned most)
{
	const char *p = text, *blank = NULL;
	unsigned width = 0;

	while (*p && *p != '\n') {
		const char *at = p;
		width += width_of(next(&p));
		if (width > most) return (size_t)((blank ? blank : at > text ? at : p) - text);
		if (*at == ' ' && width > most / 2) blank = at;
	}
	return (size_t)(p - text);
}

unsigned surface_wrap(struct surface *s, unsigned row, unsigned rows, unsigned skip, unsigned column, unsigned most, enum style style, const char *text)
{
	unsigned n = 0;
	char line[4 * COLUMNS_MAX];

	if (column >= s->columns) return 1;
	if (most > s->columns - column) most = s->columns - column;
	do {
		size_t length = line_of(text, most);
		if (n >= skip && n - skip < rows) {
			snprintf(line, sizeof line, "%.*s", (int)length, text);
			surface_put(s, row + n - skip, column, most, style, line);
		}
		for (text += length; *text == ' '; text++) {}
		n++;
	} while (*text && *text != '\n');
	return n;
}

void surface_fill(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style, uint32_t c)
{
	for (unsigned i = 0; i < n && at(s, row, column + i); i++) {
		mend(s, row, column + i);
		*at(s, row, column + i) = (struct cell){ .c = s->ascii && c > 0x7e ? plain(c) : c, .style = (uint8_t)style };
	}
}

void surface_style(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style)
{
	for (unsigned i = 0; i < n && at(s, row, column + i); i++) at(s, row, column + i)->style = (uint8_t)style;
}

void surface_bar(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style, double part)
{
	double full = !(part > 0) ? 0 : part > 1 ? n : part * n;
	unsigned whole = (unsigned)full, eighths = (unsigned)((full - whole) * 8 + 0.5);

	if (s->ascii) {
		surface_fill(s, row, column, (unsigned)(full + 0.5), style, '#');
		return;
	}
	surface_fill(s, row, column, whole, style, 0x2588);
	if (eighths && whole < n) surface_fill(s, row, column + whole, 1, style, 0x2590 - eighths);
}

void surface_spark(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style, const double *value, size_t count, int from_zero)
{
	static const char levels[] = "_.-=+*%#";
	double low = INFINITY, high = -INFINITY;

	if (count > n) value += count - n, count = n;
	for (size_t i = 0; i < count; i++) {
		if (isnan(value[i])) continue;
		if (value[i] < low) low = value[i];
		if (value[i] > high) high = value[i];
	}
	if (from_zero && low > 0) low = 0;
	/* what hardly moves is a flat line, not a mountain range */
	if (high - low < fabs(high) * 0.02) low = high - fabs(high) * 0.02 - 1e-9;
	for (size_t i = 0; i < count; i++) {
		if (isnan(value[i])) continue;
		int level = high > low ? (int)((value[i] - low) / (high - low) * 7 + 0.5) : 0;
		surface_fill(s, row, column + n - (unsigned)count + (unsigned)i, 1, style, s->ascii ? (uint32_t)(unsigned char)levels[level] : 0x2581 + (uint32_t)level);
	}
}

static size_t encode(char *to, uint32_t c)
{
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (n == 1) {
		*to = (char)c;
		return 1;
	}
	for (size_t i = n; i-- > 1; c >>= 6) to[i] = (char)(0x80 | (c & 0x3f));
	to[0] = (char)((0xf00u >> n & 0xff) | c);
	return n;
}

char *surface_text(const struct surface *s)
{
	char *out = xmalloc((size_t)s->rows * (s->columns * 4 * (1 + SURFACE_MARKS) + 1) + 1), *p = out;

	for (unsigned row = 0; row < s->rows; row++) {
		char *line = p;
		for (unsigned i = 0; i < s->columns; i++) {
			const struct cell *c = at(s, row, i);
			if (!c->c) continue;
			p += encode(p, c->c);
			for (int k = 0; k < SURFACE_MARKS && c->mark[k]; k++) p += encode(p, c->mark[k]);
		}
		while (p > line && p[-1] == ' ') p--;
		*p++ = '\n';
	}
	*p = 0;
	return out;
}
