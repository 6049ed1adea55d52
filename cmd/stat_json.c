/* stat_json.c: the figures of alloctop stat as JSON. The keys are documented in alloctop-stat(1) and are kept: new ones may come, none goes
 * or changes its meaning. What cannot be known is null. And what is missing, in words, for both forms. */
#include "cmd/stat.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/perf/code.h"
#include "inspect/perf/cost.h"
#include "inspect/target/err.h"

static json_t *real(double v) { return v < 0 ? json_null() : json_real(v); }

static json_t *event(const struct stat_reading *r, size_t i)
{
	const struct cost *c = r->cost;
	const struct event *ev = &c->event[i];
	double error, share = cost_share(c, i, &error), inside = cost_inside(c, i);
	json_t *o = json_object();

	json_object_set_new(o, "event", json_string(ev->name));
	json_object_set_new(o, "unit", json_string(event_is_clock(ev) ? "nanoseconds" : "count"));
	json_object_set_new(o, "supported", json_boolean(!ev->refused));
	json_object_set_new(o, "total", ev->refused ? json_null() : json_real(ev->count));
	json_object_set_new(o, "in_allocator", real(inside));
	json_object_set_new(o, "share", real(share));
	json_object_set_new(o, "share_error", real(error));
	json_object_set_new(o, "per_allocation", inside >= 0 && r->allocations > 0 ? json_real(inside / r->allocations) : json_null());
	json_object_set_new(o, "samples", json_integer((json_int_t)c->sum[i].samples));
	json_object_set_new(o, "samples_in_allocator", json_integer((json_int_t)c->sum[i].samples_inside));
	json_object_set_new(o, "counted_share", ev->refused ? json_null() : json_real(ev->counted));
	json_object_set_new(o, "user_only", json_boolean(ev->user_only));
	return o;
}

/* "share": of each event that was sampled, by its name. */
static json_t *rows(const struct cost *c, const struct cost_rows *r, int callers, unsigned limit)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->n && (!limit || i < limit); i++) {
		json_t *o = json_object(), *share = json_object(), *kernel = json_object();
		json_object_set_new(o, "function", json_string(r->row[i].function));
		if (callers) json_object_set_new(o, "caller", *r->row[i].caller ? json_string(r->row[i].caller) : json_null());
		for (size_t e = 0; e < c->nevents; e++) {
			if (c->event[e].refused || !(c->sum[e].weight > 0)) continue;
			json_object_set_new(share, c->event[e].name, json_real(r->row[i].weight[e] / c->sum[e].weight));
			json_object_set_new(kernel, c->event[e].name, json_real(r->row[i].kernel[e] / c->sum[e].weight));
		}
		json_object_set_new(o, "share", share);
		json_object_set_new(o, "kernel_share", kernel);
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *evidence(const struct cost *c)
{
	json_t *all = json_array();

	for (size_t i = 0; i < c->nimages; i++)
		if (c->image[i].code) json_array_append_new(all, json_string(code_evidence(c->image[i].code)));
	return all;
}

int stat_json(FILE *f, const struct stat_reading *r, unsigned limit, struct err *e)
{
	const struct cost *c = r->cost;
	json_t *o = json_object(), *events = json_array(), *notices = json_array();
	char notice[STAT_NOTICES][STAT_NOTICE];
	struct cost_rows functions, callers;
	int main_event = cost_main_event(c), bad;

	cost_functions(c, main_event < 0 ? 0 : (size_t)main_event, &functions);
	cost_callers(c, main_event < 0 ? 0 : (size_t)main_event, &callers);
	for (size_t i = 0; i < c->nevents; i++) json_array_append_new(events, event(r, i));
	size_t n = stat_notices(r, notice);
	for (size_t i = 0; i < n; i++) json_array_append_new(notices, json_string(notice[i]));
	json_object_set_new(o, "pid", json_integer(c->pid));
	json_object_set_new(o, "inner_pid", json_integer(c->inner_pid));
	json_object_set_new(o, "program", *c->program ? json_string(c->program) : json_null());
	json_object_set_new(o, "period_s", json_real(c->period_s));
	json_object_set_new(o, "threads", json_integer(c->threads_max > c->threads ? c->threads_max : c->threads));
	json_object_set_new(o, "exited", json_boolean(c->exited));
	json_object_set_new(o, "user_s", real(r->user_s));
	json_object_set_new(o, "system_s", real(r->system_s));
	json_object_set_new(o, "allocations", real(r->allocations));
	json_object_set_new(o, "events", events);
	json_object_set_new(o, "functions", rows(c, &functions, 0, limit));
	json_object_set_new(o, "callers", rows(c, &callers, 1, limit));
	json_object_set_new(o, "allocator_code", evidence(c));
	json_object_set_new(o, "lost_samples", json_real(c->lost + c->dropped));
	json_object_set_new(o, "notices", notices);
	bad = json_dumpf(o, f, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	json_decref(o);
	cost_rows_free(&functions);
	cost_rows_free(&callers);
	if (!bad) fputc('\n', f);
	return bad ? err_set(e, ERR_FAIL, "writing JSON failed") : 0;
}

/* ---- what is missing ---- */

struct notices { char (*text)[STAT_NOTICE]; size_t n; };

static void say(struct notices *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(struct notices *n, const char *fmt, ...)
{
	va_list ap;

	if (n->n == STAT_NOTICES) return;
	va_start(ap, fmt);
	vsnprintf(n->text[n->n++], STAT_NOTICE, fmt, ap);
	va_end(ap);
}

static int is_denied(const struct cost *c, size_t i) { return c->event[i].refused == EACCES || c->event[i].refused == EPERM; }
static int is_hardware(const struct cost *c, size_t i) { return c->event[i].refused && !is_denied(c, i) && c->event[i].hardware; }
static int is_unknown(const struct cost *c, size_t i) { return c->event[i].refused && !is_denied(c, i) && !c->event[i].hardware; }

/* "not counted: cycles, instructions: why" */
static void say_refused(struct notices *n, const struct cost *c, int (*is)(const struct cost *c, size_t i), const char *why)
{
	char names[STAT_NOTICE / 2] = "";

	for (size_t i = 0; i < c->nevents; i++) {
		size_t len = strlen(names);
		if (is(c, i)) snprintf(names + len, sizeof names - len, "%s%s", len ? ", " : "", c->event[i].name);
	}
	if (*names) say(n, "not counted: %s: %s", names, why);
}

static int any(const struct cost *c, int (*is)(const struct cost *c, size_t i))
{
	for (size_t i = 0; i < c->nevents; i++)
		if (!c->event[i].refused && is(c, i)) return 1;
	return 0;
}

static int is_user_only(const struct cost *c, size_t i) { return c->event[i].user_only; }
static int is_shared(const struct cost *c, size_t i) { return c->event[i].counted < 0.999; }
static int is_unseen(const struct cost *c, size_t i) { return c->event[i].count > 0 && c->sum[i].samples > 0 && c->sum[i].unknown > c->sum[i].weight / 2; }

/* The share of a clock's time that no sample stands for. */
static double unsampled(const struct cost *c)
{
	enum { TELLING = 50000000 };    /* nanoseconds: of less, chance decides */
	double worst = 0;

	for (size_t i = 0; i < c->nevents; i++) {
		const struct event *ev = &c->event[i];
		double missing = event_is_clock(ev) && !ev->refused && !ev->user_only && ev->count > TELLING ? 1 - c->sum[i].weight / ev->count : 0;
		if (missing > worst) worst = missing;
	}
	return worst;
}

/* Not even its code could be told: then a share of zero means nothing. */
static int has_code(const struct cost *c)
{
	for (size_t i = 0; i < c->nimages; i++)
		if (c->image[i].code && *code_evidence(c->image[i].code)) return 1;
	return 0;
}

size_t stat_notices(const struct stat_reading *r, char notice[STAT_NOTICES][STAT_NOTICE])
{
	const struct cost *c = r->cost;
	struct notices n = { notice, 0 };

	say_refused(&n, c, is_hardware, "this machine, a virtual one perhaps, does not give us the processor's counters");
	say_refused(&n, c, is_denied, "not permitted (needs CAP_PERFMON or root, or a lower perf_event_paranoid)");
	say_refused(&n, c, is_unknown, "this kernel does not count that");
	if (any(c, is_user_only)) say(&n, "without what the kernel does for the process: that was not permitted (needs CAP_PERFMON or root, or a lower perf_event_paranoid)");
	if (any(c, is_shared)) say(&n, "some events had to share the processor's counters: their totals are scaled up");
	if (c->exited && r->user_s < 0) say(&n, "the process ended after %.1f s", c->period_s);
	if (any(c, is_unseen)) say(&n, "no share can be told: %s", c->exited || !*c->why ? "the process ended before it could be looked at" : c->why);
	else if (!has_code(c) && c->image[0].target) say(&n, "no allocator was found in the process's code: nothing counts as inside");
	if (unsampled(c) > 0.3 && !(c->lost > 0))
		say(&n, "%.0f%% of the time was not sampled: threads that live no longer than the samples are apart are seen seldom or never (raise --rate)", 100 * unsampled(c));
	if (c->lost > 0) say(&n, "%.0f samples were lost", c->lost);
	if (c->dropped > 0) say(&n, "%.0f samples had no place in the tables below", c->dropped);
	if (c->left_out) say(&n, "%u threads were left out: too few file descriptors or too little lockable memory (raise ulimit -n, -l)", c->left_out);
	if (!c->inherits) say(&n, "threads that began meanwhile are not in it: this kernel is older than 5.13");
	if (c->forks) say(&n, "%u child process%s began meanwhile, and %s not in it", c->forks, c->forks == 1 ? "" : "es", c->forks == 1 ? "is" : "are");
	for (size_t i = 0; i < n.n; i++) plain_text(notice[i]);
	return n.n;
}
