/* panel.h: a panel = one file with one struct panel, and a row in panels.c. A panel makes a table of what was read; grid.c shows it,
 * sorts it, searches it, subtracts the mark from it. */
#ifndef ALLOCTOP_PANEL_H
#define ALLOCTOP_PANEL_H

#include "inspect/model/state.h"
#include "inspect/model/table.h"

struct heap;
struct lock_report;
struct sites;
struct snapshot;
struct symbolizer;

/* What was read of a process; NULL: not there. Of the moment, but for heap and locks, which take longer. */
struct observation {
	const struct snapshot *snap, *before;   /* before: of the same agent, interval_s ago */
	double interval_s;
	const struct snapshot *far;             /* the same, some half a minute to a minute ago: for what few samples tell */
	double far_s;
	const struct sites *sites;
	const struct heap *heap;
	const struct lock_report *locks;
	struct symbolizer *symbols;
};

enum panel_part { PANEL_AGENT = 1, PANEL_HEAP = 2, PANEL_LOCKS = 4 };

struct panel {
	char key;
	const char *name;               /* on its tab */
	enum state_table table;         /* STATE_TABLES: the screen's own log */
	const struct table_shape *shape;
	unsigned parts;                 /* made again when one of these was read again; it needs at least one of them */
	const char *help;               /* what it shows, one line */
	const char *enter;              /* what Enter does; NULL: nothing */
	const char *stops;              /* what is asked before threads may be stopped for it; NULL: they never are */
	const char *without;            /* what to do when there is nothing of the parts */
	void (*fill)(struct table *t, const struct observation *o);     /* runs in the reading thread; NULL: filled elsewhere */
	const struct panel *other;      /* another way to see the same, by t; round and round */
};

extern const struct panel *const panels_process[];      /* ends with NULL */
extern const struct panel *const panels_list[];
/* Every panel there is, the others of others too; ends with NULL. */
extern const struct panel *const panels_all[];
/* As state_unpack wants them. */
extern const struct table_shape *panels_shapes[STATE_TABLES];
/* Fills panels_shapes. Once, before anything else. */
void panels_begin(void);

#endif
