/* panels.c: the table of panels. A new one is a file and a row here. */
#include "tui/panel.h"

#include <stddef.h>

#include "tui/sites.h"

extern const struct panel panel_sites, panel_callees, panel_callers, panel_classes, panel_arenas, panel_locks, panel_threads, panel_maps, panel_ledger, panel_log,
	panel_processes, panel_groups;

const struct panel *const panels_process[] = {
	&panel_sites,
	&panel_classes,
	&panel_arenas,
	&panel_locks,
	&panel_threads,
	&panel_maps,
	&panel_ledger,
	&panel_log,
	NULL,
};

const struct panel *const panels_list[] = {
	&panel_processes,
	NULL,
};

const struct panel *const panels_all[] = {
	&panel_sites, &panel_callees, &panel_callers, &panel_classes, &panel_arenas, &panel_locks, &panel_threads, &panel_maps, &panel_ledger, &panel_processes, &panel_groups,
	&panel_log, NULL,
};

const struct table_shape *panels_shapes[STATE_TABLES];

void panels_begin(void)
{
	sites_panel_begin();
	for (const struct panel *const *p = panels_all; *p; p++)
		if ((*p)->table < STATE_TABLES) panels_shapes[(*p)->table] = (*p)->shape;
}
