/* locks.c: alloctop locks: who waits for the allocator, on which lock, from where, and what it costs. */
#include "cmd/cmd.h"
#include "cmd/interrupt.h"
#include "cmd/locks.h"
#include "cmd/pid.h"
#include "cmd/screen.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "inspect/format/format.h"
#include "inspect/lock/lock.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"

static const double default_s = 10;

struct locks_options { double period, interval; unsigned count, limit, rate; int no_stop, no_agent, folded; const char *source, *format; };

static void name_program(const struct target *t, char name[64])
{
	const char *slash = strrchr(t->proc.exe, '/'), *base = slash ? slash + 1 : t->proc.exe;

	snprintf(name, 64, "%.63s", *base && !strncmp(base, t->proc.comm, strlen(t->proc.comm)) ? base : t->proc.comm);
	plain_text(name);
	for (char *p = name; *p; p++)
		if (strchr(" /?*:;\"'\\", *p) || (p == name && (*p == '-' || *p == '.'))) *p = '_';
}

static struct symbolizer *open_symbols(const struct target *t, int no_inlines, struct err *e)
{
	struct symbol_options so = { .pid = t->pid, .no_inlines = no_inlines != 0 };

	return symbol_open(NULL, 0, &so, e);
}

static int open_target(struct target *t, const char *operand, struct err *e)
{
	pid_t pid;

	return pid_resolve(operand, PID_OF_ANY, &pid, e) || target_open_pid(t, pid, e);
}

static double epoch(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int show(const struct locks_reading *r, const struct locks_options *o, int series, struct err *e)
{
	unsigned rows, columns;

	if (o->folded) {
		const struct format *f = format_find("folded");
		struct format_options fo = { .type = -1 };
		struct profile *p = lock_profile(r->report, r->target, r->symbols, r->program);
		profile_symbolise(p, r->symbols);
		int bad = f->write(f, stdout, p, &fo, e);
		profile_free(p);
		return bad;
	}
	if (!strcmp(o->format, "json")) return locks_json(r, series, e);
	screen_size(&rows, &columns);
	locks_text(r, columns < 80 ? columns : 80, o->limit);
	return 0;
}

/* One measurement, shown. The symbols are looked up when it is over, and kept for the next. */
static int once(struct target *t, const struct locks_options *o, struct symbolizer **symbols, int series, struct err *e)
{
	struct lock_options lo = { .period_s = series ? o->interval : o->period, .rate_hz = o->rate, .no_stop = o->no_stop, .no_agent = o->no_agent, .only = o->source };
	struct lock_report report;
	char program[64];
	int bad;

	if (lock_measure(t, &lo, &interrupt_came, &report, e)) return -1;
	name_program(t, program);
	struct locks_reading r = { .target = t, .report = &report, .symbols = *symbols, .program = program, .at = epoch() };
	bad = show(&r, o, series, e);
	fflush(stdout);
	lock_report_free(&report);
	return bad;
}

static const char *source_word(size_t i) { return lock_sources[i] ? lock_sources[i]->name : NULL; }

static const char *format_word(size_t i)
{
	static const char *const word[] = { "text", "json", NULL };

	return word[i];
}

static int check(const struct locks_options *o, int argc, struct err *e)
{
	if (argc != 1) return err_set(e, ERR_USAGE, "locks: %s (see: alloctop locks --help)", argc ? "one process at a time" : "which process?");
	if (strcmp(o->format, "text") && strcmp(o->format, "json")) return err_set(e, ERR_USAGE, "locks: no format '%s'", o->format);
	if (o->source && !lock_source_find(o->source)) return err_set(e, ERR_USAGE, "locks: no source '%s' (see: alloctop locks --help)", o->source);
	if (!(o->period > 0) || o->period > 86400) return err_set(e, ERR_USAGE, "locks: --for takes a time up to a day");
	if (o->count && !(o->interval > 0)) return err_set(e, ERR_USAGE, "locks: --count needs --interval");
	if (o->rate > 100000) return err_set(e, ERR_USAGE, "locks: --rate: at most 100000 samples per second");
	return 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct locks_options *o = options;
	struct symbolizer *symbols = NULL;
	struct target t;
	int bad = 0, series = o->interval > 0;

	if (check(o, argc, e) || open_target(&t, argv[0], e)) return -1;
	interrupt_catch();
	symbols = open_symbols(&t, 0, e);
	for (unsigned i = 0; !bad && !interrupt_came && (!i || (series && (!o->count || i < o->count))); i++) {
		if (i && target_refresh(&t, e)) bad = -1;
		else bad = once(&t, o, &symbols, series, e);
		if (!bad && i && series && o->format[0] == 't') putchar('\n');
	}
	symbol_close(symbols);
	target_close(&t);
	return bad;
}

struct profile *locks_profile(const char *operand, double seconds, int raw, int no_inlines, char program[64], int *pid, struct err *e)
{
	struct lock_options lo = { .period_s = seconds > 0 ? seconds : default_s };
	struct lock_report report;
	struct target t;
	struct profile *p = NULL;

	if (open_target(&t, operand, e)) return NULL;
	struct symbolizer *symbols = open_symbols(&t, no_inlines, e);
	interrupt_catch();
	if (symbols && !lock_measure(&t, &lo, &interrupt_came, &report, e)) {
		name_program(&t, program);
		*pid = (int)t.pid;
		p = lock_profile(&report, &t, symbols, program);
		if (!raw) profile_symbolise(p, symbols);
		lock_report_free(&report);
	}
	symbol_close(symbols);
	target_close(&t);
	return p;
}

static const struct option_row options[] = {
	{ 't', "for", OPTION_SECONDS, offsetof(struct locks_options, period), "TIME", "how long to watch", NULL },
	{ 'i', "interval", OPTION_SECONDS, offsetof(struct locks_options, interval), "TIME", "again and again, so long each", NULL },
	{ 'n', "count", OPTION_COUNT, offsetof(struct locks_options, count), "N", "how many intervals; 0: until interrupted", NULL },
	{ 's', "source", OPTION_STRING, offsetof(struct locks_options, source), "NAME", "only this source", source_word },
	{ 'r', "rate", OPTION_COUNT, offsetof(struct locks_options, rate), "HZ", "read lock words so often, whatever that costs", NULL },
	{ 0, "no-stop", OPTION_FLAG, offsetof(struct locks_options, no_stop), NULL, "never stop a thread to see its stack", NULL },
	{ 0, "no-agent", OPTION_FLAG, offsetof(struct locks_options, no_agent), NULL, "do not tell the agent to time calls", NULL },
	{ 'F', "format", OPTION_STRING, offsetof(struct locks_options, format), "FORMAT", "how to write it", format_word },
	{ 0, "folded", OPTION_FLAG, offsetof(struct locks_options, folded), NULL, "stacks by nanoseconds lost, for flame graphs", NULL },
	{ 'l', "limit", OPTION_COUNT, offsetof(struct locks_options, limit), "N", "locks, and stacks of each; 0: all", NULL },
	PID_NS_OF,
	{ 0 },
};

static const struct locks_options defaults = { .period = 10, .limit = 8, .format = "text" };

const struct cmd cmd_locks = {
	.name = "locks",
	.summary = "Who waits for the allocator's locks, where from, at what cost",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof(struct locks_options),
	.defaults = &defaults,
	.run = run,
};
