/* heap.c: alloctop heap: where the memory of a process went, read from outside, without an agent. */
#include "cmd/cmd.h"

#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/heap.h"
#include "cmd/pid.h"
#include "cmd/screen.h"
#include "inspect/allocator/allocator.h"
#include "inspect/allocator/survey.h"
#include "inspect/model/plain.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"

struct heap_options {
	int full, freeze, exact;
	const char *by, *format, *core, *exe, *sysroot;
	double interval, max_pause;
	unsigned count;
};

static double clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int open_target(const struct heap_options *o, int argc, char **argv, struct target *t, struct err *e)
{
	pid_t pid = 0;

	if (o->core) {
		if (argc) return err_set(e, ERR_USAGE, "heap: either --core or a process, not both");
		if (o->freeze || o->interval > 0) return err_set(e, ERR_USAGE, "heap: a core file stands still: no --freeze, no --interval");
		return target_open_core(t, o->core, o->exe, o->sysroot, e);
	}
	if (o->exe || o->sysroot) return err_set(e, ERR_USAGE, "heap: --exe and --sysroot belong to --core");
	if (argc != 1) return err_set(e, ERR_USAGE, "heap: %s (see: alloctop heap --help)", argc ? "one process at a time" : "which process?");
	if (pid_resolve(argv[0], PID_OF_ANY, &pid, e)) return -1;
	return target_open_pid(t, pid, e);
}

static void program_name(const struct target *t, char *out, size_t n)
{
	const char *slash = strrchr(t->proc.exe, '/'), *base = slash ? slash + 1 : t->proc.exe;

	/* a program is known by the name it goes by, but the kernel cuts that at 15 characters */
	snprintf(out, n, "%.60s", strlen(t->proc.comm) == 15 && !strncmp(base, t->proc.comm, 15) ? base : t->proc.comm);
	plain_text(out);
}

static struct heap_look look_of(const struct heap_options *o)
{
	struct heap_look look = { .by = o->by, .exact = o->exact };
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	unsigned rows;

	look.width = UINT_MAX;
	if (isatty(STDOUT_FILENO)) {
		screen_size(&rows, &look.width);
		look.colour = !(no && *no) && !(term && !strcmp(term, "dumb"));
	}
	return look;
}

static int show(const struct heap_options *o, const struct heap_reading *r, const struct heap_look *look, struct err *e)
{
	int series = o->interval > 0;

	if (!strcmp(o->format, "json")) return heap_json(r, series, e);
	if (series && !o->by) heap_text_series(r, look);
	else heap_text(r, look);
	return 0;
}

static int series(const struct heap_options *o, struct target *t, struct err *e)
{
	struct survey_options survey = { .flags = ALLOCATOR_REQUESTED | (o->full ? ALLOCATOR_FULL : 0), .freeze = o->freeze, .max_pause_s = o->max_pause };
	struct heap now = { 0 }, before = { 0 };
	struct heap_look look = look_of(o);
	char program[64];
	double last = 0;
	int status = 0;

	program_name(t, program, sizeof program);
	for (unsigned i = 0; !status; i++) {
		double at = clock_of(CLOCK_MONOTONIC);
		if (i) status = target_refresh(t, e);
		if (!status) status = survey_read(t, &survey, &now, e);
		if (status) break;
		struct heap_reading r = { t, &now, i ? &before : NULL, clock_of(CLOCK_REALTIME), at - last, program, o->core != NULL };
		status = show(o, &r, &look, e);
		fflush(stdout);
		heap_free(&before);
		before = now;
		now = (struct heap){ 0 };
		last = at;
		if (o->interval <= 0 || i + 1 == o->count) break;
		/* from start to start */
		double left = at + o->interval - clock_of(CLOCK_MONOTONIC);
		screen_wait(left > 0 ? left : 0);
	}
	heap_free(&before);
	return status;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct heap_options *o = options;
	struct target t = { 0 };
	int status;

	if (o->count && o->interval <= 0) return err_set(e, ERR_USAGE, "heap: --count needs --interval");
	if (o->interval < 0) return err_set(e, ERR_USAGE, "heap: --interval must not be negative");
	if (open_target(o, argc, argv, &t, e)) return -1;
	status = series(o, &t, e);
	target_close(&t);
	return status;
}

static const char *format_word(size_t i)
{
	static const char *const word[] = { "text", "json", NULL };

	return word[i];
}

static const char *by_word(size_t i)
{
	static const char *const word[] = { "class", "arena", "map", "thread", NULL };

	return word[i];
}

static const struct option_row options[] = {
	{ 'f', "full", OPTION_FLAG, offsetof(struct heap_options, full), NULL, "look at every block, not at counters alone", NULL },
	{ 'b', "by", OPTION_STRING, offsetof(struct heap_options, by), "WHAT", "one table in full", by_word },
	{ 'F', "format", OPTION_STRING, offsetof(struct heap_options, format), "FORMAT", "how to print", format_word },
	{ 0, "bytes", OPTION_FLAG, offsetof(struct heap_options, exact), NULL, "exact figures, without units", NULL },
	{ 'i', "interval", OPTION_SECONDS, offsetof(struct heap_options, interval), "TIME", "a series, so long from one to the next", NULL },
	{ 'n', "count", OPTION_COUNT, offsetof(struct heap_options, count), "COUNT", "end the series after so many; 0: never", NULL },
	{ 0, "freeze", OPTION_FLAG, offsetof(struct heap_options, freeze), NULL, "stop the process while it is read", NULL },
	{ 0, "max-pause", OPTION_SECONDS, offsetof(struct heap_options, max_pause), "TIME", "refuse to stop it for longer", NULL },
	{ 'c', "core", OPTION_STRING, offsetof(struct heap_options, core), "FILE", "read a core file instead of a process", NULL },
	{ 0, "exe", OPTION_STRING, offsetof(struct heap_options, exe), "FILE", "the program of the core file", NULL },
	{ 0, "sysroot", OPTION_STRING, offsetof(struct heap_options, sysroot), "DIR", "where the core file's libraries are", NULL },
	PID_NS_OF,
	{ 0 },
};

static const struct heap_options defaults = { .format = "text", .max_pause = 0.05 };

const struct cmd cmd_heap = {
	.name = "heap",
	.summary = "Show where a process's memory went, without an agent",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof(struct heap_options),
	.defaults = &defaults,
	.run = run,
};
