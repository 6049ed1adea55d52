/* locks_json.c: a struct lock_report as JSON. The keys are documented in alloctop-locks(1) and are kept: new ones may come, none goes or
 * changes its meaning. What cannot be known is null. */
#include "cmd/locks.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "inspect/lock/lock.h"
#include "inspect/model/plain.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"

static json_t *text(const char *v)
{
	char buf[600];

	snprintf(buf, sizeof buf, "%s", v);
	return json_string(plain_text(buf));
}

static json_t *address(uint64_t v)
{
	char buf[24];

	snprintf(buf, sizeof buf, "0x%" PRIx64, v);
	return json_string(buf);
}

static json_t *real(double v) { return v < 0 ? json_null() : json_real(v); }

/* "utilisation", "utilisation_error", "utilisation_source" */
static void figure(json_t *o, const char *key, const struct lock_figure *f)
{
	char name[64];

	json_object_set_new(o, key, f->source ? json_real(f->value) : json_null());
	snprintf(name, sizeof name, "%s_error", key);
	json_object_set_new(o, name, f->source ? real(f->error) : json_null());
	snprintf(name, sizeof name, "%s_source", key);
	json_object_set_new(o, name, f->source ? json_string(f->source) : json_null());
}

static json_t *frames(struct symbolizer *s, const struct lock_stack *k)
{
	json_t *all = json_array();
	char name[512];

	for (unsigned i = 0; i < k->depth; i++) {
		struct symbol_frame f;
		json_t *o = json_object();
		json_object_set_new(o, "address", address(k->pc[i]));
		json_object_set_new(o, "function", text(locks_frame(s, k, i, name, sizeof name)));
		if (symbol_lookup(s, k->pc[i] - (i > 0), &f, 1) && *f.file) {
			json_object_set_new(o, "file", text(f.file));
			json_object_set_new(o, "line", json_integer(f.line));
		}
		json_object_set_new(o, "scanned", json_boolean(i && i < k->scanned));
		json_array_append_new(all, o);
	}
	return all;
}

/* count: what is counted of it. */
static json_t *stack_of(const struct locks_reading *r, const struct lock_stack *k, const char *count)
{
	json_t *o = json_object();
	char line[512];

	json_object_set_new(o, "lost_s", real(k->lost_s));
	json_object_set_new(o, count, json_real(k->waits));
	json_object_set_new(o, "stack", text(locks_stack(r->symbols, k, line, sizeof line)));
	json_object_set_new(o, "frames", frames(r->symbols, k));
	return o;
}

static json_t *stacks(const struct locks_reading *r, const struct lock_row *row)
{
	json_t *all = json_array();

	for (size_t i = 0; i < row->nstacks; i++) json_array_append_new(all, stack_of(r, &row->stack[i], row->waits_per_s.source ? "waits" : "samples"));
	return all;
}

static json_t *waiters(const struct lock_row *row)
{
	json_t *all = json_array();

	for (size_t i = 0; i < row->nwaiters; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "tid", json_integer(row->waiter[i].tid));
		json_object_set_new(o, "name", text(row->waiter[i].name));
		json_object_set_new(o, "share", json_real(row->waiter[i].share));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *row_of(const struct locks_reading *r, const struct lock_row *row)
{
	json_t *o = json_object();

	if (*row->allocator) json_object_set_new(o, "allocator", text(row->allocator));
	else json_object_set_new(o, "use", json_string(row->use == LOCK_USE_LOCK ? "lock" : "event"));
	json_object_set_new(o, "lock", text(row->name));
	json_object_set_new(o, "address", address(row->addr));
	figure(o, "utilisation", &row->utilisation);
	figure(o, "mean_inside", &row->mean_inside);
	figure(o, "contended", &row->contended);
	figure(o, "waits_per_s", &row->waits_per_s);
	figure(o, "lost_s_per_s", &row->lost_s_per_s);
	figure(o, "eagain", &row->eagain);
	figure(o, "cpu_s_per_s", &row->cpu_s_per_s);
	figure(o, "wake_s_per_s", &row->wake_s_per_s);
	figure(o, "spin_s_per_s", &row->spin_s_per_s);
	json_object_set_new(o, "threads", waiters(row));
	json_object_set_new(o, "stacks_source", row->stack_source ? json_string(row->stack_source) : json_null());
	json_object_set_new(o, "stacks_sampled", json_integer(row->stack_samples));
	json_object_set_new(o, "stacks", stacks(r, row));
	return o;
}

static void real_of(json_t *o, const char *key, double v) { json_object_set_new(o, key, real(v)); }

static json_t *call_of(const struct lock_call *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "call", json_string(c->op));
	json_object_set_new(o, "size_min", c->size_max == UINT64_MAX ? json_null() : json_integer((json_int_t)c->size_min));
	json_object_set_new(o, "size_max", c->size_max == UINT64_MAX ? json_null() : json_integer((json_int_t)c->size_max));
	json_object_set_new(o, "timed", json_integer((json_int_t)c->samples));
	real_of(o, "calls_per_s", c->calls_per_s);
	real_of(o, "p50_s", c->p50_s);
	real_of(o, "p90_s", c->p90_s);
	real_of(o, "p99_s", c->p99_s);
	real_of(o, "max_s", c->max_s);
	real_of(o, "total_s_per_s", c->total);
	real_of(o, "total_s_per_s_error", c->error);
	real_of(o, "lock_wait_s_per_s", c->wait);
	real_of(o, "spin_or_kernel_s_per_s", c->slow);
	real_of(o, "page_fault_s_per_s", c->fault);
	real_of(o, "preempted_s_per_s", c->preempted);
	real_of(o, "plain_s_per_s", c->plain);
	return o;
}

static json_t *calls(const struct locks_reading *r)
{
	const struct lock_calls *c = &r->report->calls;
	json_t *o = json_object(), *rows = json_array(), *all = json_array();

	if (!c->source) {
		json_decref(o);
		json_decref(rows);
		json_decref(all);
		return json_null();
	}
	for (size_t i = 0; i < c->nrows; i++) json_array_append_new(rows, call_of(&c->row[i]));
	for (size_t i = 0; i < c->nstacks; i++) json_array_append_new(all, stack_of(r, &c->stack[i], "calls"));
	json_object_set_new(o, "source", json_string(c->source));
	real_of(o, "period_s", c->period_s);
	real_of(o, "one_in", c->one_in);
	json_object_set_new(o, "timed", json_integer((json_int_t)c->samples));
	json_object_set_new(o, "rows", rows);
	json_object_set_new(o, "stacks", all);
	return o;
}

static json_t *sources(const struct lock_report *l)
{
	static const char *const state[] = { [LOCK_USED] = "used", [LOCK_LIMITED] = "limited", [LOCK_REFUSED] = "not used" };
	json_t *all = json_array();

	for (size_t i = 0; i < l->nnotices; i++) {
		json_t *o = json_object();
		json_object_set_new(o, "source", json_string(l->notice[i].source));
		json_object_set_new(o, "state", json_string(state[l->notice[i].state]));
		json_object_set_new(o, "text", text(l->notice[i].text));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *summary(const struct lock_report *l)
{
	json_t *o = json_object();

	json_object_set_new(o, "threads", json_integer(l->threads));
	json_object_set_new(o, "allocator_lost_s_per_s", real(l->allocator_lost));
	json_object_set_new(o, "allocator_lost_s_per_s_error", real(l->allocator_error));
	figure(o, "waking_s_per_s", &l->waking);
	figure(o, "spinning_s_per_s", &l->spinning);
	real_of(o, "delay_factor", l->delay_factor > 0 ? l->delay_factor : LOCK_UNKNOWN);
	real_of(o, "allocator_cost_s_per_s", l->cost);
	real_of(o, "allocator_cost_s_per_s_error", l->cost_error);
	json_object_set_new(o, "all_lost_s_per_s", json_real(l->all_lost));
	json_object_set_new(o, "allocator_share", l->allocator_lost >= 0 && l->all_lost > 0 ? json_real(l->allocator_lost / l->all_lost) : json_null());
	json_object_set_new(o, "exited", json_boolean(l->exited));
	return o;
}

static json_t *pauses(const struct lock_report *l)
{
	json_t *o = json_object();

	json_object_set_new(o, "count", json_integer(l->pauses));
	json_object_set_new(o, "median_us", l->pauses ? json_real(l->pause_median_us) : json_null());
	json_object_set_new(o, "max_us", l->pauses ? json_real(l->pause_max_us) : json_null());
	return o;
}

int locks_json(const struct locks_reading *r, int compact, struct err *e)
{
	const struct lock_report *l = r->report;
	json_t *o = json_object(), *locks = json_array(), *others = json_array();
	int bad;

	for (size_t i = 0; i < l->nrows; i++) json_array_append_new(*l->row[i].allocator ? locks : others, row_of(r, &l->row[i]));
	json_object_set_new(o, "pid", json_integer(r->target->pid));
	json_object_set_new(o, "inner_pid", json_integer(r->target->proc.inner_pid));
	json_object_set_new(o, "program", text(r->program));
	json_object_set_new(o, "time", json_real(r->at));
	json_object_set_new(o, "period_s", json_real(l->period_s));
	json_object_set_new(o, "locks", locks);
	json_object_set_new(o, "other_futexes", others);
	json_object_set_new(o, "calls", calls(r));
	json_object_set_new(o, "sources", sources(l));
	json_object_set_new(o, "pauses", pauses(l));
	json_object_set_new(o, "summary", summary(l));
	bad = json_dumpf(o, stdout, (size_t)(compact ? JSON_COMPACT : JSON_INDENT(2)) | JSON_REAL_PRECISION(12));
	json_decref(o);
	if (bad) return err_set(e, ERR_FAIL, "writing JSON to standard output failed");
	putchar('\n');
	return 0;
}
