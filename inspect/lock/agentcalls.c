/* agentcalls.c: the calls of the allocator that an agent in the process times, of those that it samples anyway: how long each took, and what the
 * kernel counted of its thread meanwhile. The only source that measures what the program pays, whatever the reason. Two readings and their
 * difference; the agent is told to time calls for as long as that takes, unless it does so already. */
#include "inspect/lock/tally.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/client/agent.h"
#include "inspect/model/snapshot.h"
#include "inspect/model/timing.h"
#include "inspect/target/err.h"
#include "inspect/target/seccomp.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

static const char name[] = "agent-calls";
enum { STACKS_MAX = 2048 };

/* ---- calls ---- */

static struct lock_call call_of(const struct snap_timing *t, int all, double period_s)
{
	static const char *const op[WIRE_OPS] = { [WIRE_OP_MALLOC] = "malloc", [WIRE_OP_CALLOC] = "calloc", [WIRE_OP_REALLOC] = "realloc", [WIRE_OP_FREE] = "free" };
	struct lock_call c = {
		.op = op[t->op], .size_max = UINT64_MAX, .samples = t->samples, .calls_per_s = t->calls / period_s,
		.p50_s = t->p50_s, .p90_s = t->p90_s, .p99_s = t->p99_s, .max_s = t->max_s,
		.total = t->total_s / period_s, .wait = t->wait_s / period_s, .slow = t->spin_s / period_s, .fault = t->fault_s / period_s,
		.preempted = t->preempted_s / period_s, .error = timing_error(t) / period_s,
	};
	double beyond = c.wait + c.slow + c.fault + c.preempted;

	c.plain = c.total > beyond ? c.total - beyond : 0;
	if (all) return c;
	c.size_max = wire_class_max(t->class);
	c.size_min = t->class ? wire_class_max(t->class - 1) + 1 : 0;
	return c;
}

static int by_cost(const void *x, const void *y)
{
	const struct lock_call *a = x, *b = y;

	return a->total < b->total ? 1 : a->total > b->total ? -1 : (a->size_min > b->size_min) - (a->size_min < b->size_min);
}

/* Both are in the order of kinds and classes. Returns how many of them counted less than before. */
static size_t subtract(struct snapshot *now, const struct snapshot *before)
{
	size_t fewer = 0, j = 0;

	for (size_t i = 0; i < now->ntimings; i++) {
		struct snap_timing *t = &now->timing[i];
		while (j < before->ntimings && (before->timing[j].op < t->op || (before->timing[j].op == t->op && before->timing[j].class < t->class))) j++;
		if (j < before->ntimings && before->timing[j].op == t->op && before->timing[j].class == t->class) fewer += timing_subtract(t, &before->timing[j]) != 0;
	}
	return fewer;
}

static void take_calls(struct lock_calls *c, const struct snapshot *now)
{
	double calls = 0;

	c->row = xcalloc(now->ntimings + WIRE_OPS, sizeof *c->row);
	for (size_t i = 0, end; i < now->ntimings; i = end) {
		struct snap_timing all = { .op = now->timing[i].op };
		size_t first = c->nrows++;
		for (end = i; end < now->ntimings && now->timing[end].op == all.op; end++) {
			if (!now->timing[end].samples) continue;
			c->row[c->nrows++] = call_of(&now->timing[end], 0, c->period_s);
			timing_add(&all, &now->timing[end]);
		}
		if (!all.samples) {
			c->nrows = first;
			continue;
		}
		c->row[first] = call_of(&all, 1, c->period_s);
		qsort(c->row + first + 1, c->nrows - first - 1, sizeof *c->row, by_cost);
		c->samples += all.samples;
		calls += all.calls;
	}
	c->one_in = c->samples ? calls / (double)c->samples : 0;
}

/* ---- stacks ---- */

static int same(const struct snap_site *a, const struct snap_site *b)
{
	return a->depth == b->depth && (!a->depth || !memcmp(a->pc, b->pc, a->depth * sizeof *a->pc));
}

static int by_lost(const void *x, const void *y)
{
	const struct lock_stack *a = x, *b = y;

	return a->lost_s < b->lost_s ? 1 : a->lost_s > b->lost_s ? -1 : 0;
}

/* The agent keeps a site's place for good; another stack in it means another agent. */
static void take_stacks(struct lock_calls *c, const struct snapshot *now, const struct snapshot *before)
{
	struct lock_stack *all = xcalloc(now->nsites + 1, sizeof *all);
	double tick = before && now->ticks_per_s > 0 ? before->ticks_per_s / now->ticks_per_s : 1;
	size_t n = 0;

	for (size_t i = 0; i < now->nsites; i++) {
		const struct snap_site *s = &now->site[i], *was = before && i < before->nsites && same(s, &before->site[i]) ? &before->site[i] : NULL;
		struct lock_stack k = { .depth = s->depth < LOCK_DEPTH_MAX ? s->depth : LOCK_DEPTH_MAX, .waits = s->waits, .lost_s = s->wait_s };
		if (was && was->waits <= s->waits) {
			k.waits -= was->waits;
			k.lost_s -= was->wait_s * tick;
		}
		if (!k.depth || !(k.waits > 0) || !(k.lost_s > 0)) continue;
		k.pc = xmalloc(k.depth * sizeof *k.pc);
		memcpy(k.pc, s->pc, k.depth * sizeof *k.pc);
		k.pc[0]--;              /* a return address as well */
		all[n++] = k;
	}
	qsort(all, n, sizeof *all, by_lost);
	for (; n > STACKS_MAX; n--) free(all[n - 1].pc);
	c->stack = all;
	c->nstacks = n;
}

/* ---- the measurement ---- */

/* Seconds since the epoch: another one is another agent, as after exec. */
static double began(const struct snapshot *s) { return (double)s->realtime_ns * 1e-9 - s->age_s; }

static void say(struct lock_report *r, const struct snapshot *now, int anew)
{
	const struct lock_calls *c = &r->calls;
	char words[64] = "no call was timed";

	if (c->samples) snprintf(words, sizeof words, "%llu calls timed, one in %.0f", (unsigned long long)c->samples, c->one_in);
	tally_notice(r, name, anew || !now->timing_on || !now->running ? LOCK_LIMITED : LOCK_USED, "%s%s%s%s", words, anew ? "; the agent began anew meanwhile" : "",
	             anew || now->timing_on ? "" : "; somebody turned timing off", now->running ? "" : "; the agent is stopped and takes no samples");
}

static void report(struct lock_report *r, struct snapshot *now, const struct snapshot *before, double period_s)
{
	int anew = now->epoch != before->epoch || fabs(began(now) - began(before)) > 0.5;
	size_t fewer = anew ? 0 : subtract(now, before);
	struct lock_calls *c = &r->calls;

	*c = (struct lock_calls){ .source = name, .period_s = period_s };
	take_calls(c, now);
	take_stacks(c, now, anew ? NULL : before);
	say(r, now, anew || fewer);
}

static int measure_with(struct agent *a, const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	struct snapshot before, now;
	struct err ignored;
	int on, told = 0, bad = 0;

	if ((on = agent_times(a, e)) < 0) return -1;
	if (!on && w->o->no_agent) return err_set(e, ERR_UNSUPPORTED, "the agent does not time calls now, and is not to be told to");
	if (agent_snapshot(a, &before, e)) return -1;
	if (!on && seccomp_is_own(&w->t->proc))
		bad = err_set(e, ERR_UNSUPPORTED, "the process has put itself under a seccomp filter, which may forbid what timing takes (getrusage); alloctop set %d time=on does it nevertheless", (int)w->t->pid);
	else if (!on) bad = agent_command(a, AGENT_TIME, 1, e), told = !bad;
	double begin = tally_now(), t = begin;
	for (; !bad && t < begin + w->o->period_s && !__atomic_load_n(w->stop, __ATOMIC_RELAXED); t = tally_now()) tally_sleep(0.02);
	if (!bad && (bad = agent_snapshot(a, &now, e)) && e->kind == ERR_GONE) err_set(e, ERR_GONE, "pid %d: it exited before what its agent timed could be read", (int)w->t->pid);
	r->period_s = tally_now() - begin;
	if (told) agent_command(a, AGENT_TIME, 0, &ignored);         /* gone: then there is nothing to turn off */
	if (!bad) {
		report(r, &now, &before, r->period_s);
		snapshot_free(&now);
	}
	snapshot_free(&before);
	return bad;
}

static int measure(const struct lock_watch *w, struct lock_report *r, struct err *e)
{
	struct agent *a;

	if (agent_open(w->t->pid, &a, e)) return -1;
	int bad = measure_with(a, w, r, e);
	agent_close(a);
	return bad;
}

const struct lock_source lock_agentcalls = { name, "the agent in the process (alloctop run -- CMD)", measure };
