/* maps.c: the panel of mappings: the address space as the ledger sees it. */
#include "tui/panel.h"

#include "inspect/model/heap.h"

enum { START, RESIDENT, WHAT, SIZE, SHARE, BAR, SWAPPED, PATH, COLUMNS };

static const struct table_column column[] = {
	[START] = { "start", "START", 12, FIGURE_ADDRESS, COLUMN_FIXED | COLUMN_ASCENDING, "its first address" },
	[RESIDENT] = { "resident", "RES", 6, FIGURE_BYTES, 0, "bytes in memory" },
	[WHAT] = { "what", "WHAT", 26, FIGURE_TEXT, COLUMN_ASCENDING, "what it is for" },
	[SIZE] = { "size", "SIZE", 6, FIGURE_BYTES, 0, "of address space" },
	[SHARE] = { "share", "SHARE", 6, FIGURE_SHARE, 0, "of all that is resident" },
	[BAR] = { "bar", "", 8, FIGURE_BAR, COLUMN_FIXED, "of its address space, what is resident" },
	[SWAPPED] = { "swapped", "SWAP", 6, FIGURE_BYTES, 0, "bytes swapped out" },
	[PATH] = { "path", "PATH", 0, FIGURE_TEXT, COLUMN_ASCENDING | COLUMN_TAIL, "the file behind it" },
};
static const struct table_shape shape = { "maps", column, COLUMNS, RESIDENT };

static void fill(struct table *t, const struct observation *o)
{
	for (size_t i = 0; i < o->heap->nmaps; i++) {
		const struct heap_map *m = &o->heap->map[i];
		struct table_row *r = table_add(t, m->start);
		r->cell[START].number = (double)m->start;
		r->cell[SIZE].number = (double)(m->end - m->start);
		r->cell[RESIDENT].number = (double)m->resident;
		if (o->heap->ledger.rss) r->cell[SHARE].number = (double)m->resident / (double)o->heap->ledger.rss;
		if (m->end > m->start) r->cell[BAR].number = (double)m->resident / (double)(m->end - m->start);
		r->cell[SWAPPED].number = (double)m->swapped;
		r->cell[WHAT].text = table_text(t, m->what);
		r->cell[PATH].text = table_text(t, m->path);
	}
}

const struct panel panel_maps = {
	.key = '6', .name = "Maps", .table = STATE_MAPS, .shape = &shape, .parts = PANEL_HEAP,
	.help = "The mappings that have anything in them, and what each is for.",
	.without = "The heap has not been read yet.", .fill = fill,
};
