/* top.c: alloctop top: the screen of a process, or of all of them; as plain text where there is no terminal. What it shows is tui/'s. */
#include "cmd/cmd.h"

#include <langinfo.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/pid.h"
#include "cmd/place.h"
#include "cmd/screen.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "tui/loop.h"

struct top_options { int batch, once; unsigned count; double delay; const char *panel, *keys; };

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct top_options *o = options;
	struct loop_options loop = { .delay_s = o->delay, .panel = o->panel, .count = o->once ? 1 : o->count, .keys = o->keys };
	int screen = !o->batch && !o->once && !o->keys && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	pid_t pid = 0;

	if (argc > 1) return err_set(e, ERR_USAGE, "top: one process at a time (see: alloctop top --help)");
	if (o->delay < 0.05) return err_set(e, ERR_USAGE, "top: --delay must be at least 50ms");
	if (argc ? pid_resolve(argv[0], PID_OF_ANY, &pid, e) : proc_check(e)) return -1;
	if (screen) {
		struct err none = { 0 };
		char *image = place_find("attach", "alloctop-attach.so", "ALLOCTOP_ATTACH", &none);
		loop.image = image;
		loop.no_image = none.text;
		int status = loop_run(pid, &loop, e);
		free(image);
		return status;
	}
	if (o->keys) loop.count = 1;
	loop.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	screen_size(&loop.rows, &loop.columns);
	return loop_print(pid, &loop, stdout, e);
}

static const struct option_row options[] = {
	{ 'b', "batch", OPTION_FLAG, offsetof(struct top_options, batch), NULL, "plain text, one screen after the other, no keys", NULL },
	{ '1', "once", OPTION_FLAG, offsetof(struct top_options, once), NULL, "one screen as plain text", NULL },
	{ 'n', "count", OPTION_COUNT, offsetof(struct top_options, count), "COUNT", "end plain text after so many screens; 0: never", NULL },
	{ 'd', "delay", OPTION_SECONDS, offsetof(struct top_options, delay), "TIME", "between two screens", NULL },
	{ 'p', "panel", OPTION_STRING, offsetof(struct top_options, panel), "PANEL", "begin with this one", loop_panel_name },
	{ 'k', "keys", OPTION_STRING, offsetof(struct top_options, keys), "KEYS", "press these, then print the screen once", NULL },
	PID_NS_OF,
	{ 0 },
};

static const struct top_options defaults = { .delay = 1 };

const struct cmd cmd_top = {
	.name = "top",
	.summary = "Show a process, or all of them, on a screen that stays",
	.arguments = "[PID|NAME]",
	.options = options,
	.options_size = sizeof(struct top_options),
	.defaults = &defaults,
	.run = run,
};
