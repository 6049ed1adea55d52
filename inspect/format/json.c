/* json.c: the profile as one JSON object, for scripts. The schema is a promise: members may be added, none is renamed.
 *
 * {
 *   "schema": "alloctop-profile-1",
 *   "program": "redis-server", "pid": 123,
 *   "inner_pid": 7                               as the process sees itself; absent when unknown
 *   "time": "2026-01-31T12:00:00.000Z"           null when unknown
 *   "duration_s": 12.5,                          seconds the cumulative values cover
 *   "period": {"type": "space", "unit": "bytes", "value": 524288},
 *   "types": [{"name": "inuse_space", "unit": "bytes"}, ...],
 *   "default_type": "inuse_space",
 *   "totals": {TYPE: integer, ...},              the sums of the samples' values, exactly
 *   "stderr": {TYPE: number, ...},               standard error of the total; a type whose error is unknown or 0 is absent
 *   "samples": [{
 *     "frames": [{"function": "f", "file": "f.c", "line": 12, "module": "/usr/bin/x", "address": "0x55..."}, ...],
 *     "values": {TYPE: integer, ...},
 *     "stderr": {TYPE: number, ...},
 *     "labels": {KEY: string or integer, ...}    absent when there are none
 *   }, ...],
 *   "modules": [{"path", "build_id", "start", "end", "offset"}, ...],     addresses and offset as "0x..." strings
 *   "comments": ["...", ...]
 * }
 *
 * Frames: leaf first, inlined functions as frames of their own with the address of the code they are in. "function" is
 * "module+0x..." where there is no symbol; "file", "line", "module" and "address" are absent where unknown. Values are whole:
 * the same numbers as in the pprof output. */
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/format/format.h"
#include "inspect/format/whole.h"
#include "inspect/model/plain.h"
#include "inspect/model/profile.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

static json_t *text(const char *s)
{
	char *copy = plain_text(xstrdup(s));
	json_t *j = json_string(copy);
	free(copy);
	return j;
}

static json_t *hex(uint64_t v)
{
	char buf[32];
	snprintf(buf, sizeof buf, "0x%llx", (unsigned long long)v);
	return json_string(buf);
}

static json_t *time_text(uint64_t ns)
{
	char date[32], buf[64];
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	if (!ns || !gmtime_r(&s, &tm)) return json_null();
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, sizeof buf, "%s.%03uZ", date, (unsigned)(ns / 1000000 % 1000));
	return json_string(buf);
}

static json_t *frame(const struct profile *p, const struct profile_location *l, uint32_t i)
{
	char buf[512];
	json_t *j = json_object();
	const struct profile_line *line = i < l->nlines ? &l->line[i] : NULL;
	json_object_set_new(j, "function", text(profile_name(p, l, i, buf, sizeof buf)));
	if (line && *p->function[line->function].file) json_object_set_new(j, "file", text(p->function[line->function].file));
	if (line && line->line) json_object_set_new(j, "line", json_integer(line->line));
	if (*p->mapping[l->mapping].path) json_object_set_new(j, "module", text(p->mapping[l->mapping].path));
	if (l->addr) json_object_set_new(j, "address", hex(l->addr));
	return j;
}

static json_t *errors(const struct profile *p, const double *variance)
{
	json_t *j = json_object();
	for (unsigned t = 0; t < p->ntypes; t++)
		if (variance[t] > 0 && isfinite(variance[t])) json_object_set_new(j, p->type[t].name, json_real(sqrt(variance[t])));
	return j;
}

static json_t *labels(const struct profile_sample *s)
{
	json_t *j = json_object();
	for (uint32_t i = 0; i < s->nlabels; i++) {
		const struct profile_label *l = &s->label[i];
		char *key = plain_text(xstrdup(l->key));
		json_object_set_new(j, key, l->str ? text(l->str) : json_integer(l->num));
		free(key);
	}
	return j;
}

static json_t *sample(const struct profile *p, size_t index, int64_t *const *value)
{
	const struct profile_sample *s = &p->sample[index];
	json_t *j = json_object(), *frames = json_array(), *values = json_object();
	for (uint32_t k = 0; k < s->nlocs; k++) {
		const struct profile_location *l = &p->location[s->loc[k]];
		for (uint32_t i = 0; i < (l->nlines ? l->nlines : 1); i++) json_array_append_new(frames, frame(p, l, i));
	}
	for (unsigned t = 0; t < p->ntypes; t++) json_object_set_new(values, p->type[t].name, json_integer(value[t][index]));
	json_object_set_new(j, "frames", frames);
	json_object_set_new(j, "values", values);
	json_object_set_new(j, "stderr", errors(p, s->variance));
	if (s->nlabels) json_object_set_new(j, "labels", labels(s));
	return j;
}

static void put_samples(json_t *root, const struct profile *p)
{
	int64_t *value[PROFILE_TYPES_MAX];
	double variance[PROFILE_TYPES_MAX];
	json_t *samples = json_array(), *totals = json_object();
	for (unsigned t = 0; t < p->ntypes; t++) {
		int64_t sum = 0;
		value[t] = whole_values(p, t);
		for (size_t i = 0; i < p->nsamples; i++)
			if (__builtin_add_overflow(sum, value[t][i], &sum)) sum = value[t][i] < 0 ? INT64_MIN : INT64_MAX;
		json_object_set_new(totals, p->type[t].name, json_integer(sum));
		variance[t] = profile_variance(p, t);
	}
	for (size_t i = 0; i < p->nsamples; i++) {
		int64_t any = 0;
		for (unsigned t = 0; t < p->ntypes; t++) any |= value[t][i];
		if (any) json_array_append_new(samples, sample(p, i, value));
	}
	for (unsigned t = 0; t < p->ntypes; t++) free(value[t]);
	json_object_set_new(root, "totals", totals);
	json_object_set_new(root, "stderr", errors(p, variance));
	json_object_set_new(root, "samples", samples);
}

static void put_head(json_t *root, const struct profile *p, const struct format_options *o)
{
	json_t *types = json_array(), *period = json_object();
	json_object_set_new(root, "schema", json_string("alloctop-profile-1"));
	json_object_set_new(root, "program", text(p->program));
	json_object_set_new(root, "pid", json_integer(p->pid));
	if (p->inner_pid) json_object_set_new(root, "inner_pid", json_integer(p->inner_pid));
	json_object_set_new(root, "time", time_text(p->time_ns));
	json_object_set_new(root, "duration_s", json_real((double)p->duration_ns / 1e9));
	json_object_set_new(period, "type", text(p->period_type.name));
	json_object_set_new(period, "unit", text(p->period_type.unit));
	json_object_set_new(period, "value", json_integer(p->period));
	json_object_set_new(root, "period", period);
	for (unsigned t = 0; t < p->ntypes; t++) {
		json_t *type = json_object();
		json_object_set_new(type, "name", text(p->type[t].name));
		json_object_set_new(type, "unit", text(p->type[t].unit));
		json_array_append_new(types, type);
	}
	json_object_set_new(root, "types", types);
	json_object_set_new(root, "default_type", text(p->type[profile_type_index(p, o->type)].name));
}

static void put_tail(json_t *root, const struct profile *p)
{
	json_t *modules = json_array(), *comments = json_array();
	for (size_t i = 1; i < p->nmappings; i++) {
		const struct profile_mapping *m = &p->mapping[i];
		json_t *j = json_object();
		json_object_set_new(j, "path", text(m->path));
		json_object_set_new(j, "build_id", text(m->build_id));
		json_object_set_new(j, "start", hex(m->start));
		json_object_set_new(j, "end", hex(m->end));
		json_object_set_new(j, "offset", hex(m->offset));
		json_array_append_new(modules, j);
	}
	for (size_t i = 0; i < p->ncomments; i++) json_array_append_new(comments, text(p->comment[i]));
	json_object_set_new(root, "modules", modules);
	json_object_set_new(root, "comments", comments);
}

static int json_write(const struct format *f, FILE *out, const struct profile *p, const struct format_options *o, struct err *e)
{
	(void)f;
	json_t *root = json_object();
	put_head(root, p, o);
	put_samples(root, p);
	put_tail(root, p);
	int status = json_dumpf(root, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
	json_decref(root);
	if (status) return err_set(e, ERR_FAIL, "writing the profile as JSON: the output cannot be written, or memory ran out");
	putc('\n', out);
	return 0;
}

const struct format format_json = {
	.name = "json",
	.summary = "one JSON object, for scripts",
	.suffix = "json",
	.to_terminal = 1,
	.write = json_write,
};
