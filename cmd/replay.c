/* replay.c: alloctop replay: a recording that the screen made, in the same screen. */
#include "cmd/cmd.h"

#include <langinfo.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/screen.h"
#include "inspect/target/err.h"
#include "tui/loop.h"

struct replay_options { int once; double delay; const char *panel, *keys; };

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct replay_options *o = options;
	struct loop_options loop = { .delay_s = o->delay, .panel = o->panel, .keys = o->keys };
	int screen = !o->once && !o->keys && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	if (argc != 1) return err_set(e, ERR_USAGE, "replay: %s (see: alloctop replay --help)", argc ? "one recording at a time" : "which recording?");
	if (o->delay < 0.02) return err_set(e, ERR_USAGE, "replay: --delay must be at least 20ms");
	if (screen) return loop_replay(argv[0], &loop, e);
	loop.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	screen_size(&loop.rows, &loop.columns);
	return loop_print_recording(argv[0], &loop, stdout, e);
}

static const struct option_row options[] = {
	{ '1', "once", OPTION_FLAG, offsetof(struct replay_options, once), NULL, "print the last moment as plain text", NULL },
	{ 'd', "delay", OPTION_SECONDS, offsetof(struct replay_options, delay), "TIME", "between two moments, when it plays", NULL },
	{ 'p', "panel", OPTION_STRING, offsetof(struct replay_options, panel), "PANEL", "begin with this one", loop_panel_name },
	{ 'k', "keys", OPTION_STRING, offsetof(struct replay_options, keys), "KEYS", "press these at the last moment, then print the screen", NULL },
	{ 0 },
};

static const struct replay_options defaults = { .delay = 1 };

const struct cmd cmd_replay = {
	.name = "replay",
	.summary = "Show a recording of the screen (its key r makes one)",
	.arguments = "FILE",
	.options = options,
	.options_size = sizeof(struct replay_options),
	.defaults = &defaults,
	.run = run,
};
