/* arenas.c: the panel of arenas, as read from outside. Without the agent. */
#include "tui/panel.h"

#include <math.h>

#include "inspect/model/heap.h"

enum { NAME, THREADS, MAPPED, LIVE, FREE, CACHED, TOP, USED, BAR, ALLOCATOR, COLUMNS };

static const struct table_column column[] = {
	[NAME] = { "arena", "ARENA", 14, FIGURE_TEXT, COLUMN_ASCENDING, "by the allocator's own numbers" },
	[THREADS] = { "threads", "THREADS", 7, FIGURE_COUNT, 0, "that allocate from it" },
	[MAPPED] = { "mapped", "MAPPED", 6, FIGURE_BYTES, 0, "address space it has" },
	[LIVE] = { "live", "LIVE", 6, FIGURE_BYTES, 0, "bytes handed out to the program" },
	[FREE] = { "free", "FREE", 6, FIGURE_BYTES, 0, "bytes held and not handed out" },
	[CACHED] = { "cached", "CACHED", 6, FIGURE_BYTES, 0, "bytes in caches of threads" },
	[TOP] = { "top", "TOP", 6, FIGURE_BYTES, 0, "of FREE, the end that could be returned at once" },
	[USED] = { "used", "USED", 6, FIGURE_SHARE, COLUMN_FIXED, "LIVE of LIVE and FREE" },
	[BAR] = { "bar", "", 10, FIGURE_BAR, COLUMN_FIXED, "USED as a bar" },
	[ALLOCATOR] = { "allocator", "ALLOCATOR", 0, FIGURE_TEXT, 0, "whose arena it is" },
};
static const struct table_shape shape = { "arenas", column, COLUMNS, MAPPED };

static double figure(uint64_t v) { return v == HEAP_UNKNOWN ? NAN : (double)v; }

static void add(struct table *t, const struct heap_allocator *a, const char *name, uint64_t addr, const struct heap_arena *x)
{
	struct table_row *r = table_add(t, table_id(addr, a->name));
	double all = figure(x->live) + figure(x->free);

	r->cell[NAME].text = table_text(t, name);
	r->cell[THREADS].number = figure(x->threads);
	r->cell[MAPPED].number = figure(x->mapped);
	r->cell[LIVE].number = figure(x->live);
	r->cell[FREE].number = figure(x->free);
	r->cell[CACHED].number = figure(x->cached);
	r->cell[TOP].number = figure(x->top);
	if (all > 0) r->cell[USED].number = r->cell[BAR].number = figure(x->live) / all;
	r->cell[ALLOCATOR].text = table_text(t, a->name);
}

static void fill(struct table *t, const struct observation *o)
{
	for (size_t i = 0; i < o->heap->nallocators; i++) {
		const struct heap_allocator *a = &o->heap->allocator[i];
		if (!a->in_use) continue;
		for (size_t k = 0; k < a->narenas; k++) add(t, a, a->arena[k].name, a->arena[k].addr, &a->arena[k]);
		if (a->narenas) continue;
		struct heap_arena whole = {
			.threads = HEAP_UNKNOWN, .mapped = a->mapped, .live = a->live_bytes, .free = a->free_bytes, .cached = a->cached_bytes, .top = HEAP_UNKNOWN,
		};
		add(t, a, "(the heap)", a->state, &whole);
	}
	if (!t->nrows) table_note(t, "No allocator is known in this process.");
}

const struct panel panel_arenas = {
	.key = '3', .name = "Arenas", .table = STATE_ARENA, .shape = &shape, .parts = PANEL_HEAP,
	.help = "The arenas of the allocators in use; one line for an allocator that has none.",
	.without = "The heap has not been read yet.", .fill = fill,
};
