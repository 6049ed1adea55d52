/* processes.h: the columns of the list of processes, for census.c, which fills them. */
#ifndef ALLOCTOP_TUI_PROCESSES_H
#define ALLOCTOP_TUI_PROCESSES_H

#include "tui/panel.h"

enum {
	PROCESSES_PID, PROCESSES_USER, PROCESSES_ALLOCATOR, PROCESSES_RSS, PROCESSES_LIVE, PROCESSES_RETAINED, PROCESSES_GROWTH, PROCESSES_RATE, PROCESSES_THREADS,
	PROCESSES_AGENT, PROCESSES_CONTAINER, PROCESSES_COMMAND, PROCESSES_COLUMNS
};

extern const struct panel panel_processes, panel_groups;

#endif
