/* processes.c: the panel of processes. Filled by census.c, which knows what it has already seen. */
#include "tui/processes.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/xalloc.h"
#include "tui/known.h"

static const struct table_column column[] = {
	[PROCESSES_PID] = { "pid", "PID", 7, FIGURE_NUMBER, COLUMN_FIXED | COLUMN_ASCENDING, "process id" },
	[PROCESSES_USER] = { "user", "USER", 8, FIGURE_TEXT, COLUMN_ASCENDING, "whom it runs as" },
	[PROCESSES_ALLOCATOR] = { "allocator", "ALLOCATOR", 9, FIGURE_TEXT, COLUMN_ASCENDING, "who serves its malloc; .. : not looked at yet" },
	[PROCESSES_RSS] = { "rss", "RSS", 5, FIGURE_BYTES, 0, "resident memory" },
	[PROCESSES_LIVE] = { "live", "LIVE", 5, FIGURE_BYTES, 0, "bytes allocated and not freed" },
	[PROCESSES_RETAINED] = { "free", "FREE", 5, FIGURE_BYTES, 0, "bytes the allocator holds and nobody uses" },
	[PROCESSES_GROWTH] = { "growth", "GROW/m", 6, FIGURE_BYTES, 0, "how much RSS grows per minute" },
	[PROCESSES_INSIDE] = { "inside", "LOCKS", 5, FIGURE_COUNT, 0, "threads in its allocator's locks, of late; waiters are known of musl's only" },
	[PROCESSES_RATE] = { "rate", "RATE/s", 6, FIGURE_BYTES, 0, "bytes allocated per second (agent)" },
	[PROCESSES_THREADS] = { "threads", "THR", 4, FIGURE_NUMBER, 0, "threads" },
	[PROCESSES_AGENT] = { "agent", "AGENT", 7, FIGURE_TEXT, COLUMN_ASCENDING, "active, stopped, loaded; -: none; ?: not permitted to look" },
	[PROCESSES_CONTAINER] = { "container", "CONTAINER", 12, FIGURE_TEXT, COLUMN_ASCENDING, "its control group, the last part of it" },
	[PROCESSES_COMMAND] = { "command", "COMMAND", 0, FIGURE_TEXT, COLUMN_ASCENDING | COLUMN_WIDE | COLUMN_COMMAND, "its command line" },
};
static const struct table_shape shape = { "processes", column, PROCESSES_COLUMNS, PROCESSES_RSS }, shape_groups = { "groups", column, PROCESSES_COLUMNS, PROCESSES_RSS };

/* Asked for once each: it may be a question to a directory server. Only the thread of the census asks. */
static const char *user_name(uid_t uid)
{
	static struct user { uid_t uid; char name[32]; } *user;
	static size_t n;
	struct passwd pw, *found = NULL;
	char buf[1024];

	for (size_t i = 0; i < n; i++)
		if (user[i].uid == uid) return user[i].name;
	if (!(n & (n - 1))) user = xreallocarray(user, n ? 2 * n : 1, sizeof *user);
	struct user *u = &user[n++];
	u->uid = uid;
	if (!getpwuid_r(uid, &pw, buf, sizeof buf, &found) && found) snprintf(u->name, sizeof u->name, "%.31s", pw.pw_name);
	else snprintf(u->name, sizeof u->name, "%u", (unsigned)uid);
	return u->name;
}

/* As short as it is clear. */
static const char *short_name(const char *allocator)
{
	static const char *const name[][2] = { { "musl mallocng", "musl" }, { "musl oldmalloc", "musl old" }, { "musl bump allocator", "musl bump" } };

	for (size_t i = 0; i < sizeof name / sizeof *name; i++)
		if (!strcmp(name[i][0], allocator)) return name[i][1];
	return allocator;
}

struct table_row *processes_row(struct table *t, const struct known *k, double now)
{
	static const char *const agent[] = { "-", "loaded", "active", "stopped", "?" };
	struct table_row *r = table_add(t, (uint64_t)k->proc.pid << 32 ^ k->proc.start_ticks);

	r->cell[PROCESSES_PID].number = k->proc.pid;
	r->cell[PROCESSES_USER].text = table_text(t, user_name(k->proc.uid));
	r->cell[PROCESSES_ALLOCATOR].text = table_text(t, short_name(k->allocator));
	r->cell[PROCESSES_RSS].number = (double)k->proc.rss_bytes;
	r->cell[PROCESSES_LIVE].number = k->live;
	r->cell[PROCESSES_RETAINED].number = k->retained;
	r->cell[PROCESSES_GROWTH].number = known_growth(k, now);
	r->cell[PROCESSES_INSIDE].number = k->inside;
	r->cell[PROCESSES_RATE].number = k->rate;
	r->cell[PROCESSES_THREADS].number = k->proc.threads;
	r->cell[PROCESSES_AGENT].text = k->looked ? agent[k->agent] : "..";
	r->cell[PROCESSES_CONTAINER].text = *k->container ? table_text(t, k->container) : "-";
	r->cell[PROCESSES_COMMAND].text = table_text(t, *k->proc.cmdline ? k->proc.cmdline : k->proc.comm);
	return r;
}

const struct panel panel_processes = {
	.key = '1', .name = "Processes", .table = STATE_PROCESSES, .shape = &shape,
	.help = "The processes that may be looked at, the largest first.",
	.enter = "opens the process", .without = "The processes are being read.", .other = &panel_groups,
};

const struct panel panel_groups = {
	.key = '1', .name = "Processes", .table = STATE_GROUPS, .shape = &shape_groups,
	.help = "The processes as a tree of containers (control groups), and the sums of each.",
	.enter = "opens the process; opens or closes a container", .without = "The processes are being read.", .other = &panel_processes,
};
