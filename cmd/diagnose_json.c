/* diagnose_json.c: a verdict for programs; the keys are documented in alloctop-diagnose(1) and are kept. What is not known is null. */
#include "cmd/diagnose.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"
#include "inspect/verdict/verdict.h"

static int print(json_t *o, struct err *e)
{
	int bad = json_dumpf(o, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15));

	putchar('\n');
	json_decref(o);
	return bad ? err_set(e, ERR_FAIL, "the verdict could not be written") : 0;
}

static json_t *number(double v) { return isnan(v) ? json_null() : json_real(v); }
static json_t *lock_number(double v) { return v == LOCK_UNKNOWN ? json_null() : json_real(v); }

static void set_strings(json_t *to, const struct finding *f, enum finding_part part)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->nlines; i++)
		if (f->line[i].part == part) json_array_append_new(list, json_string(f->line[i].text));
	json_object_set_new(to, finding_part_name(part), list);
}

static json_t *finding(const struct facts *facts, const struct finding *f)
{
	json_t *o = json_object();

	json_object_set_new(o, "rule", json_string(f->rule->name));
	json_object_set_new(o, "kind", json_string(f->rule->kind));
	json_object_set_new(o, "headline", json_string(f->headline));
	json_object_set_new(o, "certainty", json_string(finding_certainty_name(f->certainty)));
	json_object_set_new(o, "cost", number(verdict_cost(facts, f)));
	json_object_set_new(o, "cost_threads", number(f->cost_threads));
	json_object_set_new(o, "cost_bytes", number(f->cost_bytes));
	for (enum finding_part p = 0; p < FINDING_PARTS; p++) set_strings(o, f, p);
	json_object_set_new(o, "source", json_string(f->rule->source));
	return o;
}

static json_t *allocators(const struct facts *f)
{
	static const char *const way[] = { [FACTS_IN_LIBC] = "libc", [FACTS_LINKED] = "linked", [FACTS_LIBRARY] = "library", [FACTS_PRELOADED] = "preloaded" };
	json_t *list = json_array();

	for (size_t i = 0; i < f->heap.nallocators; i++) {
		const struct heap_allocator *a = &f->heap.allocator[i];
		json_t *o = json_object();
		json_object_set_new(o, "name", json_string(a->name));
		json_object_set_new(o, "version", json_string(a->version));
		json_object_set_new(o, "in_use", json_boolean(a->in_use));
		json_object_set_new(o, "deployed", json_string(way[f->deployed[i].way]));
		json_object_set_new(o, "live_bytes", number(facts_bytes(a->live_bytes)));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *process(const struct facts *f)
{
	static const char *const libc[] = { "", "glibc", "musl" };
	json_t *o = json_object(), *env = json_object();

	json_object_set_new(o, "libc", json_string(libc[f->id.libc]));
	json_object_set_new(o, "libc_version", json_string(f->id.libc_version));
	json_object_set_new(o, "static", json_boolean(f->id.is_static));
	json_object_set_new(o, "container", json_boolean(f->id.container));
	json_object_set_new(o, "system", json_string(f->id.system));
	json_object_set_new(o, "runtime", json_string(f->id.runtime));
	json_object_set_new(o, "threads", json_integer(f->threads));
	json_object_set_new(o, "cpus", json_integer(f->cpus));
	for (size_t i = 0; i < f->id.nenv; i++) json_object_set_new(env, f->id.env[i].name, json_string(f->id.env[i].value));
	json_object_set_new(o, "environment", f->id.env_group.known ? env : json_null());
	if (!f->id.env_group.known) json_decref(env);
	return o;
}

static json_t *series(const struct facts *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->nseries; i++) {
		const struct facts_moment *m = &f->series[i];
		json_t *o = json_object();
		json_object_set_new(o, "at", number(m->at));
		json_object_set_new(o, "rss_bytes", number(m->rss));
		json_object_set_new(o, "live_bytes", number(m->live));
		json_object_set_new(o, "held_free_bytes", number(m->held_free));
		json_object_set_new(o, "minor_faults", number(m->minor_faults));
		json_object_set_new(o, "major_faults", number(m->major_faults));
		json_object_set_new(o, "voluntary_switches", number(m->voluntary));
		json_object_set_new(o, "user_seconds", number(m->user_s));
		json_object_set_new(o, "system_seconds", number(m->system_s));
		json_array_append_new(list, o);
	}
	return list;
}

static void set_group(json_t *to, const char *name, const struct facts_group *g)
{
	if (!g->known) json_object_set_new(to, name, json_string(g->why));
}

int diagnose_json_list(struct err *e)
{
	json_t *list = json_array();

	for (const struct rule *const *r = rules; *r; r++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "rule", (*r)->name, "kind", (*r)->kind, "title", (*r)->title, "explanation", (*r)->explanation,
		                                      "threshold", (*r)->threshold, "source", (*r)->source));
	return print(list, e);
}

int diagnose_json(const struct diagnose_reading *r, struct err *e)
{
	const struct facts *f = r->facts;
	const struct verdict *v = r->verdict;
	json_t *o = json_object(), *findings = json_array(), *missing = json_array(), *not_read = json_object();

	json_object_set_new(o, "pid", json_integer(f->id.pid));
	json_object_set_new(o, "inner_pid", f->id.inner_pid ? json_integer(f->id.inner_pid) : json_null());
	json_object_set_new(o, "program", json_string(f->id.program));
	json_object_set_new(o, "time", number(r->at));
	json_object_set_new(o, "watched_seconds", number(f->watch_s));
	json_object_set_new(o, "exited", json_boolean(f->exited));
	json_object_set_new(o, "healthy", json_boolean(!v->nfindings));
	for (size_t i = 0; i < v->nfindings; i++) json_array_append_new(findings, finding(f, &v->finding[i]));
	json_object_set_new(o, "findings", findings);
	for (size_t i = 0; i < v->nmissing; i++)
		json_array_append_new(missing, json_pack("{s:s, s:s}", "rule", v->missing[i].rule->name, "why", v->missing[i].headline));
	json_object_set_new(o, "not_judged", missing);
	set_group(not_read, "heap", &f->heap_group);
	set_group(not_read, "locks", &f->locks_group);
	set_group(not_read, "faults", &f->faults_group);
	set_group(not_read, "agent", &f->agent_group);
	json_object_set_new(o, "not_read", not_read);
	json_object_set_new(o, "process", process(f));
	json_object_set_new(o, "allocators", allocators(f));
	json_object_set_new(o, "live_source", f->live_source ? json_string(f->live_source) : json_null());
	json_object_set_new(o, "allocator_lost_s_per_s", f->locks_group.known ? lock_number(f->locks.allocator_lost) : json_null());
	json_object_set_new(o, "series", series(f));
	return print(o, e);
}
