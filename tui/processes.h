/* processes.h: the list of processes as tables: one after the other, and as a tree of their control groups. For census.c. */
#ifndef ALLOCTOP_TUI_PROCESSES_H
#define ALLOCTOP_TUI_PROCESSES_H

#include <stddef.h>
#include "tui/panel.h"

struct known;

enum {
	PROCESSES_PID, PROCESSES_USER, PROCESSES_ALLOCATOR, PROCESSES_RSS, PROCESSES_LIVE, PROCESSES_RETAINED, PROCESSES_GROWTH, PROCESSES_INSIDE, PROCESSES_RATE,
	PROCESSES_THREADS, PROCESSES_AGENT, PROCESSES_CONTAINER, PROCESSES_COMMAND, PROCESSES_COLUMNS
};

/* One row. Valid until the next. */
struct table_row *processes_row(struct table *t, const struct known *k, double now);
/* n processes, each below its control group, and that below the group it is in; the order is changed. */
struct table *groups_table(const struct known **k, size_t n, double now);

extern const struct panel panel_processes, panel_groups;

#endif
