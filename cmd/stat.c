/* stat.c: alloctop stat: how much of what a process spends, it spends in its allocators. */
#include "cmd/cmd.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/pid.h"
#include "cmd/screen.h"
#include "cmd/spawn.h"
#include "cmd/stat.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "inspect/client/agent.h"
#include "inspect/model/profile.h"
#include "inspect/model/snapshot.h"
#include "inspect/perf/cost.h"
#include "inspect/target/err.h"

static const double default_s = 10;

struct stat_options { const char *events, *format, *file; double period; unsigned limit, rate; };

/* What an agent in the process has counted; -1: there is none. */
static double allocations(pid_t pid)
{
	struct agent *a;
	struct snapshot s;
	struct err e;
	double n = -1;

	if (agent_open(pid, &a, &e)) return -1;
	if (!agent_snapshot(a, &s, &e)) {
		n = 0;
		for (size_t i = 0; i < s.nthreads; i++) n += (double)s.thread[i].allocs;
		snapshot_free(&s);
	}
	agent_close(a);
	return n;
}

static int write_out(const struct stat_reading *r, const struct stat_options *o, FILE *f, struct err *e)
{
	unsigned rows, columns;

	if (!strcmp(o->format, "json")) return stat_json(f, r, o->limit, e);
	screen_size(&rows, &columns);
	stat_text(f, r, columns < 80 ? columns : 80, o->limit);
	return 0;
}

/* A command's own output is on standard output: the figures go beside it, as perf stat's do. */
static int show(const struct stat_reading *r, const struct stat_options *o, FILE *usual, struct err *e)
{
	struct output out;
	int bad;

	if (!o->file) return write_out(r, o, usual, e);
	bad = output_open(&out, o->file, e);
	if (!bad) bad = write_out(r, o, out.file, e);
	if (!bad) bad = output_commit(&out, e);
	output_close(&out);
	return bad;
}

static int of_process(const char *operand, const struct stat_options *o, const struct cost_options *co, struct err *e)
{
	struct stat_reading r = { .user_s = -1, .system_s = -1 };
	struct cost *c;
	pid_t pid;

	if (pid_resolve(operand, PID_OF_ANY, &pid, e) || cost_open(&c, pid, co, e)) return -1;
	interrupt_catch();
	double before = allocations(pid), after;
	cost_measure(c, o->period > 0 ? o->period : default_s, &interrupt_came);
	after = before >= 0 ? allocations(pid) : -1;
	r.cost = c;
	r.allocations = after >= before && before >= 0 ? after - before : -1;
	int bad = show(&r, o, stdout, e);
	cost_close(c);
	return bad;
}

static double seconds(const struct timeval *t) { return (double)t->tv_sec + (double)t->tv_usec * 1e-6; }

/* The command gets the interrupt as well, and says itself what comes of it. */
static int of_command(char **argv, const struct stat_options *o, struct cost_options *co, struct err *e)
{
	struct stat_reading r = { .allocations = -1, .user_s = -1, .system_s = -1 };
	struct spawn s;
	struct cost *c;
	struct rusage u;
	int status;

	co->on_exec = 1;
	if (spawn_held(&s, argv, e)) return -1;
	if (cost_open(&c, s.pid, co, e)) {
		spawn_drop(&s);
		return -1;
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	if ((status = spawn_go(&s, argv[0], e))) {
		cost_close(c);
		return status;
	}
	cost_measure(c, o->period, &interrupt_came);
	status = spawn_wait(&s);
	if (c->exited && !getrusage(RUSAGE_CHILDREN, &u)) {
		r.user_s = seconds(&u.ru_utime);
		r.system_s = seconds(&u.ru_stime);
	}
	if (!*c->program) snprintf(c->program, sizeof c->program, "%.63s", strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0]);
	r.cost = c;
	fflush(stdout);
	int bad = show(&r, o, stderr, e);
	cost_close(c);
	return bad ? bad : status;
}

static int check(const struct stat_options *o, int argc, int command, struct err *e)
{
	if (!argc) return err_set(e, ERR_USAGE, "stat: which process? (see: alloctop stat --help)");
	if (argc > 1 && !command) return err_set(e, ERR_USAGE, "stat: one process at a time; a command stands behind --");
	if (strcmp(o->format, "text") && strcmp(o->format, "json")) return err_set(e, ERR_USAGE, "stat: no format '%s'", o->format);
	if (o->period < 0 || o->period > 86400) return err_set(e, ERR_USAGE, "stat: --for takes a time up to a day");
	if (o->rate > 20000) return err_set(e, ERR_USAGE, "stat: --rate: at most 20000 samples a second");
	return 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct stat_options *o = options;
	struct cost_options co = { .events = o->events, .hz = o->rate };
	int command = argc > 0 && !strcmp(argv[-1], "--");      /* getopt leaves it in front of the operands */

	if (check(o, argc, command, e)) return -1;
	return command ? of_command(argv, o, &co, e) : of_process(argv[0], o, &co, e);
}

struct profile *stat_profile(const char *operand, const char *kind, double period, int raw, int no_inlines, char program[64], int *pid, struct err *e)
{
	int growth = !strcmp(kind, "growth");
	struct cost_options co = { .events = growth ? "page-faults" : "cpu-clock", .all_stacks = growth, .huge = growth, .no_inlines = no_inlines };
	struct profile *p = NULL;
	struct cost *c;
	pid_t target;

	if (pid_resolve(operand, PID_OF_ANY, &target, e) || cost_open(&c, target, &co, e)) return NULL;
	interrupt_catch();
	cost_measure(c, period > 0 ? period : default_s, &interrupt_came);
	memcpy(program, c->program, sizeof c->program);
	*pid = (int)target;
	p = growth ? cost_profile_growth(c, raw) : cost_profile_cpu(c, raw);
	cost_close(c);
	return p;
}

static const char *format_word(size_t i)
{
	static const char *const word[] = { "text", "json", NULL };

	return word[i];
}

static const struct option_row options[] = {
	{ 'e', "event", OPTION_STRING, offsetof(struct stat_options, events), "EVENTS", "what to count, by perf's names", NULL },
	{ 't', "for", OPTION_SECONDS, offsetof(struct stat_options, period), "TIME", "how long to watch (10s; a command: until it ends)", NULL },
	{ 0, "rate", OPTION_COUNT, offsetof(struct stat_options, rate), "N", "samples a second of each event and processor", NULL },
	{ 'F', "format", OPTION_STRING, offsetof(struct stat_options, format), "FORMAT", "how to write it", format_word },
	{ 'o', "output", OPTION_STRING, offsetof(struct stat_options, file), "FILE", "where to", NULL },
	{ 'l', "limit", OPTION_COUNT, offsetof(struct stat_options, limit), "N", "functions and callers; 0: all", NULL },
	PID_NS_OF,
	{ 0 },
};

static const struct stat_options defaults = { .format = "text", .limit = 10 };

const struct cmd cmd_stat = {
	.name = "stat",
	.summary = "Share of the processor's time, and of other events, in the allocator",
	.arguments = "PID|NAME | -- CMD [ARG...]",
	.options = options,
	.options_size = sizeof(struct stat_options),
	.defaults = &defaults,
	.run = run,
};
