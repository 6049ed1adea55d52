/* grid.h: a table on the screen: sorted, searched, filtered, folded where it is a tree; one row of it selected. */
#ifndef ALLOCTOP_GRID_H
#define ALLOCTOP_GRID_H

#include <stddef.h>
#include <stdint.h>

struct key;
struct surface;
struct table;
struct table_shape;

enum { GRID_WORD = 80, GRID_FOLDED = 256 };

struct grid {
	unsigned sort; int ascending;           /* sort == ncolumns: as the rows come */
	size_t top, selected;                   /* among the visible */
	uint64_t id; int follow;                /* the selected row, which is followed once the user has moved */
	char filter[GRID_WORD], search[GRID_WORD];
	uint64_t folded[GRID_FOLDED]; size_t nfolded;
	/* what was drawn last, for the mouse */
	size_t *visible, nvisible;              /* indices of rows */
	unsigned row0, rows, title_row, ncolumns;
	struct { unsigned from, to, column; } title[32];
};

void grid_init(struct grid *g, const struct table_shape *shape);
void grid_close(struct grid *g);
/* Chooses the rows that are visible, keeps the selected one. Before grid_draw and grid_key. */
void grid_arrange(struct grid *g, const struct table *t);
/* Titles and rows into `rows` lines from `row` on. difference: figures with signs. */
void grid_draw(struct grid *g, const struct table *t, struct surface *s, unsigned row, unsigned rows, int difference);
/* A key of moving, folding, clicking. Whether it was one; *opened: a row was clicked that was selected already. */
int grid_key(struct grid *g, const struct table *t, const struct key *k, int *opened);
/* Selects the next row with the searched word in it, from the selected one on (itself, when `from_here`). Whether there is one. */
int grid_search(struct grid *g, const struct table *t, int backwards, int from_here);
void grid_sort(struct grid *g, const struct table_shape *shape, unsigned column);
/* The selected row, NULL when there is none. */
const struct table_row *grid_row(const struct grid *g, const struct table *t);

#endif
