/* log.c: the panel of what happened. Its table is the screen's own: see view.c. */
#include "tui/panel.h"

static const struct table_column column[] = {
	{ "time", "TIME", 8, FIGURE_CLOCK, COLUMN_FIXED, "when it was seen" },
	{ "what", "WHAT HAPPENED", 0, FIGURE_TEXT, COLUMN_ASCENDING, "arenas, jumps of memory, threads, losses of the agent" },
};
static const struct table_shape shape = { "log", column, 2, 0 };

const struct panel panel_log = {
	.key = '8', .name = "Log", .table = STATE_TABLES, .shape = &shape,
	.help = "What happened while this screen looked: jumps of memory, arenas, threads, losses.",
	.without = "Nothing noteworthy has happened yet.",
};
