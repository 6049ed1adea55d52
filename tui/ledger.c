/* ledger.c: the panel of the ledger: every resident byte has a row, and they add up. */
#include "tui/panel.h"

#include <stdio.h>

#include "inspect/model/heap.h"

enum { NAME, BYTES, SHARE, BAR, SWAPPED, NOTE, COLUMNS };

static const struct table_column column[] = {
	[NAME] = { "name", "RESIDENT MEMORY", 40, FIGURE_TEXT, COLUMN_ASCENDING, "whose it is, and what for" },
	[BYTES] = { "bytes", "BYTES", 6, FIGURE_BYTES, 0, "in memory" },
	[SHARE] = { "share", "SHARE", 6, FIGURE_SHARE, 0, "of the resident memory" },
	[BAR] = { "bar", "", 6, FIGURE_BAR, COLUMN_FIXED, "SHARE as a bar" },
	[SWAPPED] = { "swapped", "SWAP", 6, FIGURE_BYTES, 0, "swapped out" },
	[NOTE] = { "note", "NOTE", 0, FIGURE_TEXT, 0, "how far the figure can be trusted" },
};
static const struct table_shape shape = { "ledger", column, COLUMNS, COLUMNS };

/* What does not fit into a line. */
static void note(struct table *t, struct table_row *r, const char *name, const char *text)
{
	char buf[512];

	r->cell[NOTE].text = table_text(t, text);
	if (!*text) return;
	snprintf(buf, sizeof buf, "%s\n\n%s\n", name, text);
	r->detail = table_text(t, buf);
}

static void beside(struct table *t, const char *name, uint64_t bytes, const char *text)
{
	struct table_row *r = table_add(t, table_id(4, name));

	r->cell[NAME].text = table_text(t, name);
	r->cell[BYTES].number = (double)bytes;
	note(t, r, name, text);
}

static void fill(struct table *t, const struct observation *o)
{
	const struct ledger *l = &o->heap->ledger;

	for (size_t i = 0; i < l->nrows; i++) {
		const struct ledger_row *x = &l->row[i];
		struct table_row *r = table_add(t, table_id(3, x->name));
		r->cell[NAME].text = table_text(t, x->name);
		r->cell[BYTES].number = (double)x->bytes;
		if (l->rss) r->cell[SHARE].number = r->cell[BAR].number = (double)x->bytes / (double)l->rss;
		r->cell[SWAPPED].number = (double)x->swapped;
		note(t, r, x->name, x->note);
	}
	struct table_row *r = table_add(t, table_id(3, "= rss"));
	r->cell[NAME].text = "sum: rss";
	r->cell[BYTES].number = (double)l->rss;
	r->cell[SHARE].number = 1;
	r->cell[SWAPPED].number = (double)l->swapped;
	beside(t, "beside: returned but kept", l->retained, "address space of allocators, not resident");
	beside(t, "beside: lazily freed", l->lazy_free, "resident, the kernel may take it");
	beside(t, "beside: swapped", l->swapped, "");
	beside(t, "beside: in huge pages", l->huge, "of the resident memory");
}

const struct panel panel_ledger = {
	.key = '7', .name = "Ledger", .table = STATE_LEDGER, .shape = &shape, .parts = PANEL_HEAP,
	.help = "Where the resident memory is. The rows up to the sum add up to it exactly.",
	.enter = "the whole note of the row",
	.without = "The heap has not been read yet.", .fill = fill,
};
