/* detach.c: alloctop detach: a process that was attached to as it was before. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "cmd/attaching.h"
#include "cmd/pid.h"
#include "inspect/attach/attach.h"
#include "inspect/target/err.h"

static int run(void *none, int argc, char **argv, struct err *e)
{
	pid_t pid;

	(void)none;
	if (argc != 1) return err_set(e, ERR_USAGE, "detach: %s (see: alloctop detach --help)", argc ? "one process at a time" : "which process?");
	return pid_resolve(argv[0], PID_OF_AGENT, &pid, e) ? -1 : attaching_end(pid, stdout, e);
}

static const struct option_row options[] = {
	PID_NS_OF,
	{ 0 },
};

const struct cmd cmd_detach = {
	.name = "detach",
	.summary = "Take the agent out of a process that was attached to",
	.arguments = "PID|NAME",
	.options = options,
	.run = run,
};
