/* surface.h: the cells that panels draw on, without any terminal. screen.c puts them on one; tests read them as text. */
#ifndef ALLOCTOP_SURFACE_H
#define ALLOCTOP_SURFACE_H

#include <stddef.h>
#include <stdint.h>

/* What a cell means; screen.c decides what that looks like. Nothing is told by colour alone. */
enum style {
	STYLE_PLAIN, STYLE_STRONG, STYLE_DIM, STYLE_TITLE, STYLE_SORTED, STYLE_SELECTED, STYLE_KEY, STYLE_KEY_NAME, STYLE_TAB, STYLE_TAB_ON, STYLE_WARN, STYLE_GOOD,
	STYLE_UP, STYLE_DOWN, STYLE_BAR, STYLE_FOUND,
	STYLE_PART_1, STYLE_PART_2, STYLE_PART_3, STYLE_PART_4, STYLE_PART_5, STYLE_PART_6,     /* of the stacked bar */
	STYLES
};

enum { SURFACE_MARKS = 2 };

struct cell {
	uint32_t c;             /* 0: the right half of a wide character */
	uint32_t mark[SURFACE_MARKS];   /* combining characters over it */
	uint8_t style;
};

struct surface {
	unsigned rows, columns;
	int ascii;              /* what is not ASCII is replaced */
	struct cell *cell;
};

struct surface *surface_new(unsigned rows, unsigned columns, int ascii);
void surface_free(struct surface *s);
void surface_clear(struct surface *s);

/* Text from a column on, at most `most` columns of it and never past the edge; control characters become '?'. Returns the column behind
   it. Rows and columns outside are no error. */
unsigned surface_put(struct surface *s, unsigned row, unsigned column, unsigned most, enum style style, const char *text);
unsigned surface_print(struct surface *s, unsigned row, unsigned column, enum style style, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same, ended by ".." (or "…") where it is too long. */
unsigned surface_cut(struct surface *s, unsigned row, unsigned column, unsigned most, enum style style, const char *text);
/* The same, but what is left out is its beginning. */
unsigned surface_tail(struct surface *s, unsigned row, unsigned column, unsigned most, enum style style, const char *text);
/* The same over several lines, broken at blanks, not drawn above or below `rows` lines from `skip` on; returns how many lines it has. */
unsigned surface_wrap(struct surface *s, unsigned row, unsigned rows, unsigned skip, unsigned column, unsigned most, enum style style, const char *text);
void surface_fill(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style, uint32_t c);
/* Gives cells another style. */
void surface_style(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style);
/* A bar of n columns filled to `part` of 1, to an eighth of a column. */
void surface_bar(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style, double part);
/* A line of the heights of `value`, one column each, the newest on the right; NAN leaves a gap. Scaled from 0, or from the lowest. */
void surface_spark(struct surface *s, unsigned row, unsigned column, unsigned n, enum style style, const double *value, size_t count, int from_zero);

/* Columns of a text. */
unsigned surface_width(const char *text);
/* All of it, lines without blanks at their ends. Malloc'ed. */
char *surface_text(const struct surface *s);

#endif
