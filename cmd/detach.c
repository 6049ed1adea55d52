/* detach.c: alloctop detach: a process that was attached to as it was before. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "cmd/attaching.h"
#include "cmd/pid.h"
#include "inspect/attach/attach.h"
#include "inspect/target/err.h"

int attaching_end(pid_t pid, struct err *e)
{
	struct attach_undone u;

	if (attach_undo(pid, &u, e)) return -1;
	printf("detached     %zu words put back, %zu threads stopped for %.1f ms\n", u.writes, u.threads, u.pause_s * 1e3);
	if (u.changed) printf("             %zu words hold something else by now, or are gone: left as they are\n", u.changed);
	if (u.image_left)
		printf("             thread %d may still return through the agent's code: it stays, and does nothing (detach again later)\n", (int)u.inside);
	if (u.landing_left) printf("             two pages stay: the program may have copied the address of a function in them\n");
	return 0;
}

static int run(void *none, int argc, char **argv, struct err *e)
{
	pid_t pid;

	(void)none;
	if (argc != 1) return err_set(e, ERR_USAGE, "detach: %s (see: alloctop detach --help)", argc ? "one process at a time" : "which process?");
	return pid_resolve(argv[0], PID_OF_AGENT, &pid, e) ? -1 : attaching_end(pid, e);
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
