/* table.h: rows of figures with names, the form in which everything is shown, compared with an earlier moment, and recorded. A shape
 * says what the columns are; NAN is a figure that is not known, which is never shown as zero. No I/O. */
#ifndef ALLOCTOP_TABLE_H
#define ALLOCTOP_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { TABLE_COLUMNS_MAX = 14, TABLE_CELL = 512 };

enum figure {
	FIGURE_BYTES, FIGURE_COUNT, FIGURE_SECONDS,
	FIGURE_SHARE,           /* of 1, shown in percent */
	FIGURE_BAR,             /* of 1, shown as a bar as wide as the column; "" where there are no bars */
	FIGURE_NUMBER,          /* a plain integer: a pid */
	FIGURE_ADDRESS,
	FIGURE_CLOCK,           /* seconds since the epoch, shown as the time of day */
	FIGURE_TEXT,
};

enum column_flag {
	COLUMN_FIXED = 1,       /* names the row, or is no sum: stays as it is in a difference */
	COLUMN_ASCENDING = 2,   /* sorted this way round first */
	COLUMN_WIDE = 4,        /* the rest of the line: rather more of it than of the other columns */
	COLUMN_TAIL = 8,        /* of text that is too long the end is shown: a path */
	COLUMN_GROWS = 32,      /* text that gets up to twice its width where the last column has more than it needs */
	COLUMN_COMMAND = 16,    /* of one that is too long the folder of its first word goes first: a command line */
};

struct table_column {
	const char *name;       /* as in a recording */
	const char *title;      /* above it */
	unsigned width;         /* 0: the rest of the line; text is to the left, figures to the right */
	enum figure kind;
	unsigned flags;
	const char *help;       /* one line */
};

struct table_shape {
	const char *name;
	const struct table_column *column;      /* up to TABLE_COLUMNS_MAX */
	unsigned ncolumns;
	unsigned sort;          /* column by which it is sorted first; ncolumns: as the rows come */
};

union table_cell { double number; const char *text; };

struct table_row {
	uint64_t id;            /* the same in two tables: the same thing */
	unsigned depth;         /* in a tree, rows in the order of the tree */
	const char *detail;     /* lines; NULL: none */
	union table_cell cell[TABLE_COLUMNS_MAX];
};

struct table {
	const struct table_shape *shape;
	struct table_row *row; size_t nrows;
	const char *note;       /* what is to be said of all of it, or why there is nothing; "" */
	struct table_text *texts;       /* private: where the strings are */
	void *packed; size_t npacked;   /* state_pack.c: its bytes, once it was packed; by one thread only */
	unsigned users;
};

/* With one user. */
struct table *table_new(const struct table_shape *shape);
struct table *table_use(struct table *t);
/* Accepts NULL. Any thread. */
void table_leave(struct table *t);

/* While it is being made, by its only user. The row is all unknown and empty texts; valid until the next call. */
struct table_row *table_add(struct table *t, uint64_t id);
/* A copy that lives as long as the table, made plain (see plain.h). */
const char *table_text(struct table *t, const char *s);
void table_note(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An id of names. */
uint64_t table_id(uint64_t seed, const char *s);

const struct table_row *table_find(const struct table *t, uint64_t id);

/* now - base, row by row: what is only in base is there with the opposite sign, and last. */
struct table *table_difference(const struct table *now, const struct table *base);

/* The text of one cell: "-" when not known; signed in a difference. */
void table_cell(const struct table_column *c, const union table_cell *v, int difference, char buf[TABLE_CELL]);
/* Indices of the rows, sorted; unknown figures last. In a tree those with the same parent are, and each stands before what is below it;
   column ncolumns: as the rows come. free() it. */
size_t *table_order(const struct table *t, unsigned column, int ascending);
unsigned table_column_find(const struct table_shape *s, const char *name);      /* ncolumns: none */

#endif
