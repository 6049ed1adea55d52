/* list.c: alloctop list: the processes that carry an agent. */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/screen.h"
#include "inspect/client/agent.h"
#include "inspect/model/plain.h"
#include "inspect/model/snapshot.h"
#include "inspect/model/units.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

struct list_options { const char *format; };

struct entry {
	struct proc proc;
	enum agent_state state;
	int known;              /* the figures below are */
	uint64_t rate;
	double live_bytes, live_error, age_s;
	char why[sizeof ((struct err *)0)->text];        /* when they are not */
};

struct list {
	struct entry *entry;
	size_t n;
	int inner;              /* one of them has another number inside */
	unsigned denied;        /* processes that may not be looked at */
};

static void look(struct entry *x)
{
	struct snapshot s;
	struct agent *a;
	struct err e = { 0 };

	if (!agent_open(x->proc.pid, &a, &e)) {
		if (!agent_snapshot(a, &s, &e)) {
			x->known = 1;
			x->rate = s.rate;
			x->live_bytes = s.live_bytes;
			x->live_error = sqrt(s.live_variance);
			x->age_s = s.age_s;
			snapshot_free(&s);
		}
		agent_close(a);
	}
	if (!x->known) snprintf(x->why, sizeof x->why, "%s", e.text), plain_text(x->why);
}

static int each(pid_t pid, void *arg)
{
	struct list *l = arg;
	struct entry x = { .state = agent_probe(pid) };
	struct err e;

	if (x.state == AGENT_UNREADABLE) l->denied++;
	if (x.state == AGENT_UNREADABLE || x.state == AGENT_NONE) return 0;
	if (proc_read(&x.proc, pid, &e)) return 0;      /* ended meanwhile */
	if (x.state != AGENT_LOADED) look(&x);
	if (x.proc.inner_pid != pid) l->inner = 1;
	l->entry = xreallocarray(l->entry, l->n + 1, sizeof *l->entry);
	l->entry[l->n++] = x;
	return 0;
}

static const char *state_name(const struct entry *x)
{
	if (x->state == AGENT_LOADED) return "loaded";
	if (!x->known) return "unknown";
	return x->state == AGENT_STOPPED ? "stopped" : "active";
}

static const char *user_name(uid_t uid, char buf[32])
{
	struct passwd *pw = getpwuid(uid);

	if (pw) snprintf(buf, 32, "%.31s", pw->pw_name);
	else snprintf(buf, 32, "%u", (unsigned)uid);
	return buf;
}

static void print_text(const struct list *l)
{
	char user[32], rate[UNITS_MAX] = "-", live[UNITS_MAX] = "-", error[UNITS_MAX] = "-", age[UNITS_MAX] = "-", rss[UNITS_MAX];
	unsigned rows, columns = UINT_MAX, fixed = l->inner ? 74 : 66;

	if (isatty(STDOUT_FILENO)) screen_size(&rows, &columns);
	if (l->n) printf("%7s%s %-10s %-7s %6s %6s %6s %6s %7s %s\n", "PID", l->inner ? "  INSIDE" : "", "USER", "STATE", "RATE", "LIVE", " ±", "RSS", "AGE", "PROGRAM");
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *x = &l->entry[i];
		char program[sizeof x->proc.cmdline], inner[16] = "";
		snprintf(program, sizeof program, "%s", x->proc.cmdline);
		plain_cut(plain_text(program), columns > fixed ? columns - fixed : 12);
		if (l->inner) snprintf(inner, sizeof inner, " %7d", (int)x->proc.inner_pid);
		if (x->known) {
			units_setting(x->rate, rate);
			units_bytes(x->live_bytes, live);
			units_bytes(x->live_error, error);
			units_seconds(x->age_s, age);
		} else {
			strcpy(rate, "-"), strcpy(live, "-"), strcpy(error, "-"), strcpy(age, "-");
		}
		printf("%7d%s %-10.10s %-7s %6s %6s %6s %6s %7s %s\n", (int)x->proc.pid, inner, user_name(x->proc.uid, user), state_name(x), rate,
		       live, error, units_bytes((double)x->proc.rss_bytes, rss), age, program);
		if (x->why[0]) fprintf(stderr, "alloctop: list: %s\n", x->why);
	}
	if (!l->n) fputs("alloctop: no process with an agent; start one with: alloctop run -- CMD, or put it into one: alloctop attach PID\n", stderr);
	/* for root, what cannot be looked at has just ended */
	if (l->denied && geteuid()) fprintf(stderr, "alloctop: list: %u more may not be looked at (run as root)\n", l->denied);
}

static int print_json(const struct list *l, struct err *e)
{
	char user[32], text[sizeof l->entry->proc.cmdline];
	json_t *all = json_array();
	int bad;

	for (size_t i = 0; i < l->n; i++) {
		const struct entry *x = &l->entry[i];
		json_t *o = json_object();
		json_object_set_new(o, "pid", json_integer(x->proc.pid));
		json_object_set_new(o, "inner_pid", json_integer(x->proc.inner_pid));
		json_object_set_new(o, "user", json_string(user_name(x->proc.uid, user)));
		json_object_set_new(o, "state", json_string(state_name(x)));
		snprintf(text, sizeof text, "%s", x->proc.cmdline);
		json_object_set_new(o, "program", json_string(plain_text(text)));
		snprintf(text, sizeof text, "%s", x->proc.exe);
		json_object_set_new(o, "exe", json_string(plain_text(text)));
		json_object_set_new(o, "rss_bytes", json_integer((json_int_t)x->proc.rss_bytes));
		json_object_set_new(o, "rate_bytes", x->known ? json_integer((json_int_t)x->rate) : json_null());
		json_object_set_new(o, "live_bytes", x->known ? json_real(x->live_bytes) : json_null());
		json_object_set_new(o, "live_stderr", x->known ? json_real(x->live_error) : json_null());
		json_object_set_new(o, "age_seconds", x->known ? json_real(x->age_s) : json_null());
		if (x->why[0]) json_object_set_new(o, "error", json_string(x->why));
		json_array_append_new(all, o);
	}
	json_t *root = json_pack("{s:o, s:i}", "processes", all, "denied", (int)l->denied);
	bad = !root || json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
	return bad ? err_set(e, ERR_FAIL, "list: writing JSON failed") : 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct list_options *o = options;
	struct list l = { 0 };
	int status = 0;

	if (argc) return err_set(e, ERR_USAGE, "list: takes no operand, not '%s' (see: alloctop list --help)", argv[0]);
	if (proc_each(each, &l, e)) return -1;
	if (!strcmp(o->format, "json")) status = print_json(&l, e);
	else print_text(&l);
	free(l.entry);
	return status;
}

static const char *format_word(size_t i)
{
	static const char *const word[] = { "text", "json", NULL };

	return word[i];
}

static const struct option_row options[] = {
	{ 'F', "format", OPTION_STRING, offsetof(struct list_options, format), "FORMAT", "how to print", format_word },
	{ 0 },
};

static const struct list_options defaults = { .format = "text" };

const struct cmd cmd_list = {
	.name = "list",
	.summary = "List the processes that carry an agent",
	.options = options,
	.options_size = sizeof(struct list_options),
	.defaults = &defaults,
	.run = run,
};
