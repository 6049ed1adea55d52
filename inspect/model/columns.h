/* columns.h: what a row of sites.h shows, one column each. The text screen and the panels read this one table, so that they
 * cannot disagree. */
#ifndef ALLOCTOP_COLUMNS_H
#define ALLOCTOP_COLUMNS_H

#include <stddef.h>
#include "inspect/model/table.h"

struct site_row;
struct sites;

enum { COLUMNS_TEXT = 512 };

struct column {
	const char *name;       /* as an option would call it */
	const char *title;      /* above it */
	unsigned width;         /* right-aligned in so many characters; 0: left-aligned in the rest of the line (the last one) */
	const char *help;       /* one line */
	void (*text)(const struct site_row *r, const struct sites *s, char buf[COLUMNS_TEXT]);
	/* the same for a table (table.h): what kind of figure, and its value, NAN when not known; value NULL: the text */
	enum figure kind;
	unsigned flags;
	double (*value)(const struct site_row *r, const struct sites *s);
};

extern const struct column columns[];   /* ends with a row whose name is NULL */

/* A line of at most `width` characters, no newline, no blanks at its end; row NULL: the titles. buf holds n bytes. */
void columns_line(char *buf, size_t n, unsigned width, const struct site_row *row, const struct sites *s);

#endif
