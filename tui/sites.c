/* sites.c: the panel of sites: who holds the live heap. Its columns are those of columns.h, and how it grew. */
#include "tui/panel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/columns.h"
#include "inspect/model/sites.h"
#include "inspect/model/snapshot.h"
#include "inspect/model/units.h"
#include "inspect/target/xalloc.h"
#include "tui/frames.h"
#include "tui/sites.h"

enum { DETAIL_MAX = 16 << 10, DETAILED = 200, ROWS_MAX = 20000 };

static struct table_column column[TABLE_COLUMNS_MAX];
static struct table_shape shape = { "sites", column, 0, 0 };
static unsigned growth;

/* The shared columns, and before the last of them, which takes the rest of the line, one that only this panel has. */
void sites_panel_begin(void)
{
	unsigned n = 0;

	for (const struct column *c = columns; c->as.name && n + 2 < TABLE_COLUMNS_MAX; c++) {
		if (!c[1].as.name) {
			growth = n;
			column[n++] = (struct table_column){ "growth", "GROW/m", 6, FIGURE_BYTES, 0, "how much LIVE grew per minute, of late" };
		}
		column[n++] = c->as;
	}
	shape.ncolumns = n;
}

static void detail(struct table *t, struct table_row *row, const struct site_row *r, const struct observation *o)
{
	char buf[DETAIL_MAX], a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], d[UNITS_MAX];
	const struct snap_site *s = &r->total;
	int n = snprintf(buf, sizeof buf, "%s\n\nlive %s ± %s in %s objects, %" PRIu64 " samples\n", r->function, units_bytes(s->live_bytes, a),
	                 units_bytes(sqrt(s->live_variance), b), units_count(s->live_objects, c), s->live_samples);

	n += snprintf(buf + n, sizeof buf - (size_t)n, "allocated so far %s in %s objects; freed %s, of that by other threads %s\n", units_bytes(s->alloc_bytes, a),
	              units_count(s->alloc_objects, b), units_bytes(s->freed_bytes, c), units_bytes(s->remote_bytes, d));
	if (r->stacks > 1) snprintf(buf + n, sizeof buf - (size_t)n, "\nthe largest of %u call stacks:\n", r->stacks);
	else snprintf(buf + n, sizeof buf - (size_t)n, "\ncall stack:\n");
	frames_text(buf, sizeof buf, "  ", s->pc, s->depth, 0, o->symbols);
	if (s->cut) {
		size_t at = strlen(buf);
		const char *why = snapshot_loss_text(s->cut - 1);
		snprintf(buf + at, sizeof buf - at, "  not whole: %s\n", why ? why : "unknown");
	}
	row->detail = table_text(t, buf);
}

static void fill(struct table *t, const struct observation *o)
{
	char text[COLUMNS_TEXT];
	size_t n = o->sites->n < ROWS_MAX ? o->sites->n : ROWS_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct site_row *r = &o->sites->row[i];
		struct table_row *row = table_add(t, table_id(table_id(1, r->function), r->caller));
		unsigned k = 0;
		for (const struct column *c = columns; c->as.name; c++, k++) {
			if (k == growth) k++;
			if (c->value) {
				row->cell[k].number = c->value(r, o->sites);
			} else {
				c->text(r, text);
				row->cell[k].text = table_text(t, text);
			}
		}
		if (i < DETAILED) detail(t, row, r, o);
	}
	if (!n) table_note(t, "nothing sampled yet: on average one sample is taken per %s allocated", units_setting(o->snap->rate, text));
}

/* Rows of before by id, which is a hash already: a table at most half full. */
void sites_growth(struct table *now, const struct table *earlier, double seconds)
{
	size_t size = 16, i;

	while (size < 2 * earlier->nrows) size *= 2;
	const struct table_row **slot = xcalloc(size, sizeof *slot);
	for (size_t k = 0; k < earlier->nrows; k++) {
		for (i = earlier->row[k].id & (size - 1); slot[i]; i = (i + 1) & (size - 1)) {}
		slot[i] = &earlier->row[k];
	}
	for (size_t k = 0; k < now->nrows; k++) {
		struct table_row *r = &now->row[k];
		for (i = r->id & (size - 1); slot[i] && slot[i]->id != r->id; i = (i + 1) & (size - 1)) {}
		/* what was not there began at nothing */
		r->cell[growth].number = (r->cell[0].number - (slot[i] ? slot[i]->cell[0].number : 0)) / seconds * 60;
	}
	free(slot);
}

extern const struct panel panel_callees;

const struct panel panel_sites = {
	.key = '1', .name = "Sites", .table = STATE_SITES, .shape = &shape, .parts = PANEL_AGENT,
	.help = "Who holds the live heap, by the function that allocates and its caller.",
	.enter = "the whole call stack, with files and lines",
	.without = "Call sites need the agent: start the program with  alloctop run -- CMD,  or put it into this one with  alloctop attach PID",
	.fill = fill, .other = &panel_callees,
};
