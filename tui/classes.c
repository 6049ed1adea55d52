/* classes.c: the panel of size classes: what the allocator's slots hold, as read from outside. Without the agent. */
#include "tui/panel.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/model/heap.h"
#include "inspect/model/snapshot.h"
#include "inspect/target/xalloc.h"

enum { SIZE, LIVE, FREE, CACHED, BYTES, IDLE, USED, BAR, RATE, PINNED, ALLOCATOR, COLUMNS, FEW = 200, FINE = 128 };

static const struct table_column column[] = {
	[SIZE] = { "size", "UP TO", 7, FIGURE_BYTES, COLUMN_FIXED | COLUMN_ASCENDING, "the largest size of the class" },
	[LIVE] = { "live", "LIVE", 7, FIGURE_COUNT, 0, "slots handed out to the program" },
	[FREE] = { "free", "FREE", 7, FIGURE_COUNT, 0, "slots that are free" },
	[CACHED] = { "cached", "CACHED", 7, FIGURE_COUNT, 0, "slots freed by the program, kept in a thread's cache" },
	[BYTES] = { "bytes", "BYTES", 6, FIGURE_BYTES, 0, "of the live slots" },
	[IDLE] = { "idle", "UNUSED", 6, FIGURE_BYTES, 0, "bytes of free and cached slots" },
	[USED] = { "used", "USED", 6, FIGURE_SHARE, COLUMN_FIXED, "live slots, of all" },
	[BAR] = { "bar", "", 12, FIGURE_BAR, COLUMN_FIXED, "USED as a bar" },
	[RATE] = { "rate", "RATE/s", 6, FIGURE_COUNT, 0, "allocations per second, from the agent's samples of the last minute; -: none" },
	[PINNED] = { "pinned", "PINNED", 6, FIGURE_COUNT, 0, "slabs that at most a quarter of keeps from being returned" },
	[ALLOCATOR] = { "allocator", "ALLOCATOR", 0, FIGURE_TEXT, 0, "whose class it is" },
};
static const struct table_shape shape = { "classes", column, COLUMNS, SIZE };

static double figure(uint64_t v) { return v == HEAP_UNKNOWN ? NAN : (double)v; }

static double sum(double a, double b) { return isnan(a) ? b : isnan(b) ? a : a + b; }

/* Allocators with thousands of sizes: four to a doubling. */
static uint64_t rounded(const struct heap_allocator *a, uint64_t size)
{
	if (a->nclasses <= FEW || size <= FINE) return size;
	uint64_t step = (UINT64_C(1) << (63 - __builtin_clzll(size))) / 4;
	return (size + step - 1) / step * step;
}

static void add(struct table *t, const struct heap_allocator *a)
{
	struct table_row *r = NULL;
	double last = -1;

	for (size_t i = 0; i < a->nclasses; i++) {
		const struct heap_class *c = &a->class[i];
		double size = (double)rounded(a, c->size), live = figure(c->live), idle = sum(figure(c->free), figure(c->cached));
		if (size != last) {
			r = table_add(t, table_id((uint64_t)size, a->name));
			r->cell[SIZE].number = last = size;
			r->cell[ALLOCATOR].text = table_text(t, a->name);
		}
		r->cell[LIVE].number = sum(r->cell[LIVE].number, live);
		r->cell[FREE].number = sum(r->cell[FREE].number, figure(c->free));
		r->cell[CACHED].number = sum(r->cell[CACHED].number, figure(c->cached));
		r->cell[BYTES].number = sum(r->cell[BYTES].number, live * (double)c->size);
		r->cell[IDLE].number = sum(r->cell[IDLE].number, idle * (double)c->size);
		if (c->slabs) r->cell[PINNED].number = sum(r->cell[PINNED].number, figure(c->pinned));
		double all = sum(r->cell[LIVE].number, sum(r->cell[FREE].number, r->cell[CACHED].number));
		if (!isnan(r->cell[LIVE].number) && !isnan(idle) && all > 0) r->cell[USED].number = r->cell[BAR].number = r->cell[LIVE].number / all;
	}
}

/* The agent counts by classes of its own: each goes to the allocator's class that it falls in. */
static void rates(struct table *t, size_t rows, const struct observation *o)
{
	const struct snapshot *before = o->far ? o->far : o->before;
	double seconds = o->far ? o->far_s : o->interval_s;

	if (!o->snap || !before || before->epoch != o->snap->epoch || seconds <= 0) return;
	/* where not every block is a sample, none says nothing of how few there were */
	for (size_t i = 0; i < rows && o->snap->rate <= 1; i++) t->row[i].cell[RATE].number = 0;
	for (unsigned c = 0; c < WIRE_CLASSES; c++) {
		double n = (o->snap->class[c].alloc_objects - before->class[c].alloc_objects) / seconds;
		size_t i = 0;
		if (n <= 0) continue;
		while (i < rows && t->row[i].cell[SIZE].number < (double)wire_class_max(c)) i++;
		if (i < rows) t->row[i].cell[RATE].number = sum(t->row[i].cell[RATE].number, n);
	}
}

static void fill(struct table *t, const struct observation *o)
{
	for (size_t i = 0; i < o->heap->nallocators; i++) {
		const struct heap_allocator *a = &o->heap->allocator[i];
		if (!a->in_use) continue;
		add(t, a);
		if (!i) rates(t, t->nrows, o);
	}
	if (!t->nrows) table_note(t, o->heap->nallocators ? "This allocator keeps no size classes that can be read from outside." : "No allocator is known in this process.");
}

const struct panel panel_classes = {
	.key = '2', .name = "Classes", .table = STATE_CLASSES, .shape = &shape, .parts = PANEL_HEAP,
	.help = "Size classes of the allocators in use: what is handed out, what lies free.",
	.without = "The heap has not been read yet.", .fill = fill,
};
