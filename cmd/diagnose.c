/* diagnose.c: alloctop diagnose: what is wrong with a process's memory, the figures that say so, and what to do. */
#include "cmd/cmd.h"
#include "cmd/diagnose.h"
#include "cmd/interrupt.h"
#include "cmd/pid.h"
#include "cmd/screen.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "inspect/target/err.h"
#include "inspect/verdict/collect.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/verdict.h"

enum { STATUS_FINDINGS = 10, COLUMNS_MAX = 100 };

struct diagnose_options { double period; int no_stop, list; const char *explain, *format; };

static unsigned columns(void)
{
	unsigned rows, n;

	screen_size(&rows, &n);
	return n < COLUMNS_MAX ? n : COLUMNS_MAX;
}

static int check(const struct diagnose_options *o, int argc, struct err *e)
{
	if (o->explain || o->list) return argc ? err_set(e, ERR_USAGE, "diagnose: --explain and --list look at no process") : 0;
	if (argc != 1) return err_set(e, ERR_USAGE, "diagnose: %s (see: alloctop diagnose --help)", argc ? "one process at a time" : "which process?");
	if (!(o->period > 0) || o->period > 86400) return err_set(e, ERR_USAGE, "diagnose: --for takes a time up to a day");
	return 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct diagnose_options *o = options;
	struct collect_options co = { .watch_s = o->period, .stop = !o->no_stop, .interrupt = &interrupt_came };
	struct facts f;
	struct verdict v;
	struct timespec ts;
	pid_t pid;
	int bad = 0;

	if (check(o, argc, e)) return -1;
	if (o->explain) diagnose_explain(rule_find(o->explain), columns());
	else if (o->list && !strcmp(o->format, "json")) return diagnose_json_list(e);
	else if (o->list) diagnose_list();
	if (o->list || o->explain) return 0;
	if (pid_resolve(argv[0], PID_OF_ANY, &pid, e)) return -1;
	interrupt_catch();
	if (collect(pid, &co, &f, e)) return -1;
	verdict_make(&f, &v);
	clock_gettime(CLOCK_REALTIME, &ts);
	struct diagnose_reading r = { .facts = &f, .verdict = &v, .at = (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9 };
	if (!strcmp(o->format, "json")) bad = diagnose_json(&r, e);
	else diagnose_text(&r, columns());
	int found = v.nfindings > 0;
	verdict_free(&v);
	facts_free(&f);
	return bad ? bad : found ? STATUS_FINDINGS : 0;
}

static const char *format_word(size_t i)
{
	static const char *const word[] = { "text", "json", NULL };

	return word[i];
}

static const char *rule_word(size_t i) { return rules[i] ? rules[i]->name : NULL; }

static const struct option_row options[] = {
	{ 't', "for", OPTION_SECONDS, offsetof(struct diagnose_options, period), "TIME", "how long to watch", NULL },
	{ 'F', "format", OPTION_STRING, offsetof(struct diagnose_options, format), "FORMAT", "how to print", format_word },
	{ 0, "no-stop", OPTION_FLAG, offsetof(struct diagnose_options, no_stop), NULL, "never stop a thread to see its stack", NULL },
	{ 'l', "list", OPTION_FLAG, offsetof(struct diagnose_options, list), NULL, "the rules, a line each", NULL },
	{ 'e', "explain", OPTION_STRING, offsetof(struct diagnose_options, explain), "RULE", "the reasoning and the source of one rule", rule_word },
	PID_NS_OF,
	{ 0 },
};

static const struct diagnose_options defaults = { .period = 10, .format = "text" };

const struct cmd cmd_diagnose = {
	.name = "diagnose",
	.summary = "Say what is wrong with a process's memory, why, and what to do",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof(struct diagnose_options),
	.defaults = &defaults,
	.run = run,
};
