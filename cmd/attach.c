/* attach.c: alloctop attach: the agent into a process that runs, after a look at what that would mean. */
#include "cmd/cmd.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/wire.h"
#include "cmd/attaching.h"
#include "cmd/pid.h"
#include "cmd/place.h"
#include "inspect/attach/attach.h"
#include "inspect/target/err.h"

#define RATE_MAX (1ULL << 40)

struct attach_command { uint64_t rate; double period; int dry_run, force; };

static int run_plan(const struct attach_command *o, struct attach_plan *p, struct err *e)
{
	attaching_tell(p, o->dry_run, stdout);
	if (o->dry_run && p->verdict != ATTACH_REFUSED) return 0;
	if (attaching_may(p, o->force, e)) return -1;
	if (o->period > 0) attaching_catch();
	if (attaching_begin(p, stdout, e)) return -1;
	if (!(o->period > 0)) return 0;
	attaching_stay(p->pid, &p->options, o->period, stdout);
	return attaching_end(p->pid, stdout, e);
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct attach_command *o = options;
	struct attach_options ao = { .rate = o->rate, .depth = WIRE_DEPTH_MAX };
	struct attach_plan p;
	pid_t pid;

	if (argc != 1) return err_set(e, ERR_USAGE, "attach: %s (see: alloctop attach --help)", argc ? "one process at a time" : "which process?");
	if (!o->rate || o->rate > RATE_MAX) return err_set(e, ERR_USAGE, "attach: a rate is a size from 1 to 1T (as in --rate 512K)");
	if (pid_resolve(argv[0], PID_OF_ANY, &pid, e)) return -1;
	char *image = place_find("attach", "alloctop-attach.so", "ALLOCTOP_ATTACH", e);
	if (!image) return -1;
	ao.image = image;
	int status = attach_plan(&p, pid, &ao, e);
	if (!status) status = run_plan(o, &p, e);
	attach_plan_free(&p);
	free(image);
	return status;
}

static const struct attach_command defaults = { .rate = 512 << 10 };

static const struct option_row options[] = {
	{ 'r', "rate", OPTION_BYTES, offsetof(struct attach_command, rate), "SIZE", "mean bytes between samples (512K); 1: every allocation", NULL },
	{ 0, "for", OPTION_SECONDS, offsetof(struct attach_command, period), "TIME", "stay as long, or until ^C, then detach", NULL },
	{ 'n', "dry-run", OPTION_FLAG, offsetof(struct attach_command, dry_run), NULL, "only say what would be done, each changed word too", NULL },
	{ 0, "force", OPTION_FLAG, offsetof(struct attach_command, force), NULL, "attach although it is not called safe", NULL },
	PID_NS_OF,
	{ 0 },
};

const struct cmd cmd_attach = {
	.name = "attach",
	.summary = "Put the agent into a running process",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof defaults,
	.defaults = &defaults,
	.run = run,
};
