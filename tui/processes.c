/* processes.c: the panel of processes. Filled by census.c, which knows what it has already seen. */
#include "tui/processes.h"

static const struct table_column column[] = {
	[PROCESSES_PID] = { "pid", "PID", 7, FIGURE_NUMBER, COLUMN_FIXED | COLUMN_ASCENDING, "process id" },
	[PROCESSES_USER] = { "user", "USER", 8, FIGURE_TEXT, COLUMN_ASCENDING, "whom it runs as" },
	[PROCESSES_ALLOCATOR] = { "allocator", "ALLOCATOR", 11, FIGURE_TEXT, COLUMN_ASCENDING, "who serves its malloc; .. : not looked at yet" },
	[PROCESSES_RSS] = { "rss", "RSS", 5, FIGURE_BYTES, 0, "resident memory" },
	[PROCESSES_LIVE] = { "live", "LIVE", 5, FIGURE_BYTES, 0, "bytes allocated and not freed" },
	[PROCESSES_RETAINED] = { "free", "FREE", 5, FIGURE_BYTES, 0, "bytes the allocator holds and nobody uses" },
	[PROCESSES_GROWTH] = { "growth", "GROW/m", 6, FIGURE_BYTES, 0, "how much RSS grows per minute" },
	[PROCESSES_RATE] = { "rate", "RATE/s", 6, FIGURE_BYTES, 0, "bytes allocated per second (agent)" },
	[PROCESSES_THREADS] = { "threads", "THR", 4, FIGURE_NUMBER, 0, "threads" },
	[PROCESSES_AGENT] = { "agent", "AGENT", 7, FIGURE_TEXT, COLUMN_ASCENDING, "active, stopped, loaded; -: none; ?: not permitted to look" },
	[PROCESSES_CONTAINER] = { "container", "CONTAINER", 12, FIGURE_TEXT, COLUMN_ASCENDING, "its control group, the last part of it" },
	[PROCESSES_COMMAND] = { "command", "COMMAND", 0, FIGURE_TEXT, COLUMN_ASCENDING, "its command line" },
};
static const struct table_shape shape = { "processes", column, PROCESSES_COLUMNS, PROCESSES_RSS }, shape_groups = { "groups", column, PROCESSES_COLUMNS, PROCESSES_COLUMNS };

const struct panel panel_processes = {
	.key = '1', .name = "Processes", .table = STATE_PROCESSES, .shape = &shape,
	.help = "The processes that may be looked at, the largest first.",
	.enter = "opens the process", .without = "No process can be read.", .other = &panel_groups,
};

const struct panel panel_groups = {
	.key = '1', .name = "Processes", .table = STATE_GROUPS, .shape = &shape_groups,
	.help = "The processes by container (control group), and the sums of each.",
	.enter = "opens the process; opens or closes a container", .without = "No process can be read.", .other = &panel_processes,
};
