/* run.c: alloctop run -- CMD: sets the environment that makes the loader bring the agent in, and becomes the program. There is
 * no parent left between the shell and the program: exit status, signals, terminal and job control are the program's own. */
#include "cmd/cmd.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/wire.h"
#include "cmd/place.h"
#include "cmd/preflight.h"
#include "cmd/program.h"
#include "inspect/model/plain.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum {
	NOT_EXECUTABLE = 126, NOT_FOUND = 127,          /* as env(1) and the shells say it */
	SEGMENT_MAX = 255, DIR_MAX_LEN = 95,            /* bytes of a path that the agent takes, see alloctop-agent(7) */
};
#define RATE_MAX (1ULL << 40)

struct run_options {
	uint64_t rate;
	int thread, no_thread, exact, follow;
	const char *segment, *dir;
};

/* Malloc'ed, NULL with *e. */
static char *find_agent(struct err *e)
{
	char *found = place_find("run", "liballoctop.so", "ALLOCTOP_AGENT", e);

	if (!found || !strpbrk(found, " :\t\n")) return found;
	err_set(e, ERR_FAIL, "run: the loader cannot preload %s: a blank or a colon is in its path (name a copy with ALLOCTOP_AGENT)", found);
	free(found);
	return NULL;
}

/* Children may have another working directory. Malloc'ed. */
static char *absolute(const char *path)
{
	char cwd[PATH_MAX];

	return *path == '/' || !getcwd(cwd, sizeof cwd) ? xstrdup(path) : xasprintf("%s/%s", cwd, path);
}

static void set_flag(const char *name, int on)
{
	if (on) setenv(name, "1", 1);
	else unsetenv(name);
}

static void set_path(const char *name, const char *path)
{
	char *full;

	if (!path) return;      /* what the caller has exported stays */
	full = absolute(path);
	setenv(name, full, 1);
	free(full);
}

static void set_environment(const struct run_options *o, const char *agent)
{
	const char *before = getenv("LD_PRELOAD");
	char *preload = before && *before ? xasprintf("%s:%s", agent, before) : xstrdup(agent), number[24];

	setenv("LD_PRELOAD", preload, 1);
	free(preload);
	snprintf(number, sizeof number, "%llu", (unsigned long long)o->rate);
	setenv("ALLOCTOP_RATE", number, 1);
	setenv("ALLOCTOP_THREAD", o->thread ? "always" : o->no_thread ? "never" : "auto", 1);
	set_flag("ALLOCTOP_EXACT", o->exact);
	set_flag("ALLOCTOP_FOLLOW", o->follow);
	set_path("ALLOCTOP_SEGMENT", o->segment);
	set_path("ALLOCTOP_DIR", o->dir);
	/* exec keeps the process id: the program knows by it that it is the one, and its children that they are not */
	snprintf(number, sizeof number, "%d", (int)getpid());
	setenv("ALLOCTOP_PID", number, 1);
}

/* The agent makes the file anew: what stood there must not be anything else. */
static int is_other_file(const char *path)
{
	char magic[sizeof WIRE_MAGIC - 1] = "";
	FILE *f = fopen(path, "re");
	int other;

	if (!f) return 0;
	size_t n = fread(magic, 1, sizeof magic, f);
	other = n && (n < sizeof magic || memcmp(magic, WIRE_MAGIC, sizeof magic));
	fclose(f);
	return other;
}

/* The agent has no voice of its own before its segment stands: what would keep it from standing is told here. */
static int check_segment(const char *path, struct err *e)
{
	char *dir = absolute(path), *slash = strrchr(dir, '/');
	int bad = 0, sys;
	size_t n = strlen(dir);

	slash[slash == dir] = 0;
	if (n <= SEGMENT_MAX) bad = access(dir, W_OK | X_OK);
	sys = errno;
	free(dir);
	if (n > SEGMENT_MAX) return err_set(e, ERR_USAGE, "run: --segment %s: the path is longer than %d bytes", path, SEGMENT_MAX);
	if (bad) return err_sys(e, sys, "run: --segment %s: writing into its directory", path);
	if (is_other_file(path))
		return err_set(e, ERR_FAIL, "run: --segment %s: there is another file of this name (remove it, or choose another)", path);
	return 0;
}

static int check_dir(const char *path, struct err *e)
{
	char *dir = absolute(path);
	size_t n = strlen(dir);

	free(dir);
	return n <= DIR_MAX_LEN ? 0 : err_set(e, ERR_USAGE, "run: --dir %s: the path is longer than %d bytes", path, DIR_MAX_LEN);
}

/* 0: go on. */
static int check_program(const char *name, const char *file, int follow, struct err *e)
{
	char why[160];
	enum preflight_verdict v = preflight(file, why, sizeof why);

	if (v == PREFLIGHT_NOTHING && !follow)
		return err_set(e, ERR_UNSUPPORTED, "run: %s cannot be recorded: %s", name, why);
	if (v != PREFLIGHT_FINE) {
		char *line = xasprintf("alloctop: run: %s may not be recorded: %s", name, why);
		fprintf(stderr, "%s\n", plain_text(line));
		free(line);
	}
	return 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct run_options *o = options;
	char *agent, *file;
	int sys;

	if (argc < 1) return err_set(e, ERR_USAGE, "run: no command (see: alloctop run --help)");
	if (o->thread && o->no_thread)
		return err_set(e, ERR_USAGE, "run: --thread and --no-thread contradict each other");
	if (o->rate == 0 || o->rate > RATE_MAX)
		return err_set(e, ERR_USAGE, "run: --rate must be between 1 (every allocation) and 1T");
	if (o->segment && check_segment(o->segment, e)) return -1;
	if (o->dir && check_dir(o->dir, e)) return -1;
	if (!(agent = find_agent(e))) return -1;
	file = program_find(argv[0]);
	if (file && check_program(argv[0], file, o->follow, e)) return -1;

	set_environment(o, agent);
	execvp(argv[0], argv);
	sys = errno;
	free(agent);
	free(file);
	err_sys(e, sys, "run: starting %s", argv[0]);
	return sys == ENOENT || sys == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE;
}

static const struct option_row options[] = {
	{ 'r', "rate", OPTION_BYTES, offsetof(struct run_options, rate), "SIZE", "mean bytes between samples (512K); 1: every allocation", NULL },
	{ 0, "thread", OPTION_FLAG, offsetof(struct run_options, thread), NULL, "start the agent's helper thread at once", NULL },
	{ 0, "no-thread", OPTION_FLAG, offsetof(struct run_options, no_thread), NULL, "never start it", NULL },
	{ 'e', "exact", OPTION_FLAG, offsetof(struct run_options, exact), NULL, "count every call by size class, not only samples", NULL },
	{ 'f', "follow", OPTION_FLAG, offsetof(struct run_options, follow), NULL, "record the programs that it starts, too", NULL },
	{ 's', "segment", OPTION_STRING, offsetof(struct run_options, segment), "FILE", "record into a file, which outlives a crash", NULL },
	{ 'd', "dir", OPTION_STRING, offsetof(struct run_options, dir), "DIR", "where the agent's socket goes", NULL },
	{ 0 },
};

static const struct run_options defaults = { .rate = 512 << 10 };

const struct cmd cmd_run = {
	.name = "run",
	.summary = "Run a program with the agent",
	.arguments = "-- CMD [ARG...]",
	.options = options,
	.options_size = sizeof(struct run_options),
	.defaults = &defaults,
	.in_order = 1,
	.run = run,
};
