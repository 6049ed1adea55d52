/* sites.h: what the panel of sites needs of others: its columns made before it is used, and the figure that takes two moments. */
#ifndef ALLOCTOP_TUI_SITES_H
#define ALLOCTOP_TUI_SITES_H

struct table;

void sites_panel_begin(void);
/* Fills the column of growth in a table that is being made; earlier: one of so many seconds before. */
void sites_growth(struct table *now, const struct table *earlier, double seconds);

#endif
