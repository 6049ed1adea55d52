/* columns.h: what a row of sites.h shows, one column each. Whoever shows such rows, on the screen, as text or in a recording, does it by
 * this table, so that they cannot disagree. */
#ifndef ALLOCTOP_COLUMNS_H
#define ALLOCTOP_COLUMNS_H

#include <stddef.h>
#include "inspect/model/table.h"

struct site_row;
struct sites;

enum { COLUMNS_TEXT = 512 };

struct column {
	struct table_column as;         /* how it is shown */
	double (*value)(const struct site_row *r, const struct sites *s);       /* NAN when not known; NULL for a text */
	void (*text)(const struct site_row *r, char buf[COLUMNS_TEXT]);         /* NULL for a figure */
};

extern const struct column columns[];   /* ends with a row whose name is NULL */

#endif
