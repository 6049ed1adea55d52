/* columns.c: see columns.h. */
#include "inspect/model/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/model/sites.h"
#include "inspect/model/units.h"

static void live(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	units_bytes(r->total.live_bytes, buf);
}

static void error(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	units_bytes(sqrt(r->total.live_variance), buf);
}

static void percent(double part, double whole, char buf[COLUMNS_TEXT])
{
	double p = whole > 0 ? 100 * part / whole : 0;

	if (whole > 0) snprintf(buf, COLUMNS_TEXT, p < 99.95 ? "%.1f%%" : "%.0f%%", p);
	else strcpy(buf, "-");
}

static void share(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	percent(r->total.live_bytes, s->live_bytes, buf);
}

static void objects(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	units_count(r->total.live_objects, buf);
}

static void rate(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	if (r->bytes_per_s < 0) strcpy(buf, "-");
	else units_bytes(r->bytes_per_s, buf);
}

static void life(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	units_seconds(r->life_s, buf);
}

static void remote(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	if (r->total.freed_bytes > 0) snprintf(buf, COLUMNS_TEXT, "%.0f%%", 100 * r->total.remote_bytes / r->total.freed_bytes);
	else strcpy(buf, "-");
}

static void function(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT])
{
	(void)s;
	snprintf(buf, COLUMNS_TEXT, r->caller[0] ? "%s < %s" : "%s", r->function, r->caller);
	plain_text(buf);        /* the cut may have split a character */
}

static double live_value(const struct site_row *r, const struct sites *s) { return (void)s, r->total.live_bytes; }
static double error_value(const struct site_row *r, const struct sites *s) { return (void)s, sqrt(r->total.live_variance); }
static double share_value(const struct site_row *r, const struct sites *s) { return s->live_bytes > 0 ? r->total.live_bytes / s->live_bytes : NAN; }
static double objects_value(const struct site_row *r, const struct sites *s) { return (void)s, r->total.live_objects; }
static double rate_value(const struct site_row *r, const struct sites *s) { return (void)s, r->bytes_per_s < 0 ? NAN : r->bytes_per_s; }
static double life_value(const struct site_row *r, const struct sites *s) { return (void)s, r->life_s < 0 ? NAN : r->life_s; }
static double remote_value(const struct site_row *r, const struct sites *s)
{
	return (void)s, r->total.freed_bytes > 0 ? r->total.remote_bytes / r->total.freed_bytes : NAN;
}

const struct column columns[] = {
	{ "live", "LIVE", 5, "bytes allocated here and not freed", live, FIGURE_BYTES, 0, live_value },
	{ "error", "±", 5, "standard error of LIVE", error, FIGURE_BYTES, COLUMN_FIXED, error_value },
	{ "share", "SHARE", 5, "of all live bytes", share, FIGURE_SHARE, 0, share_value },
	{ "objects", "OBJS", 5, "blocks allocated here and not freed", objects, FIGURE_COUNT, 0, objects_value },
	{ "rate", "RATE/s", 6, "bytes allocated here per second", rate, FIGURE_BYTES, 0, rate_value },
	{ "life", "LIFE", 6, "median age at which blocks of this site were freed", life, FIGURE_SECONDS, COLUMN_FIXED, life_value },
	{ "remote", "REMOTE", 6, "of the freed bytes, those freed by another thread", remote, FIGURE_SHARE, COLUMN_FIXED, remote_value },
	{ "function", "FUNCTION < CALLER", 0, "who allocates, and who called it", function, FIGURE_TEXT, 0, NULL },
	{ 0 },
};

static void put(char *buf, size_t n, const char *s)
{
	size_t len = strlen(buf);

	snprintf(buf + len, n - len, "%s", s);
}

void columns_line(char *buf, size_t n, unsigned width, const struct site_row *row, const struct sites *s)
{
	char cell[COLUMNS_TEXT];
	size_t at = 0;

	*buf = 0;
	for (const struct column *c = columns; c->name; c++) {
		if (row) c->text(row, s, cell);
		else snprintf(cell, sizeof cell, "%s", c->title);
		size_t gap = c == columns ? 0 : c->width ? 1 : 2, w = plain_width(cell);
		if (at + gap + c->width > width) break;
		if (!c->width) plain_cut(cell, width - at - gap), w = plain_width(cell);
		size_t pad = gap + (c->width > w ? c->width - w : 0);
		for (size_t i = 0; i < pad; i++) put(buf, n, " ");
		put(buf, n, cell);
		at += pad + w;
	}
	for (size_t len = strlen(buf); len && buf[len - 1] == ' ';) buf[--len] = 0;
}
