/* compare_json.c: a comparison for programs: JSON with everything, CSV with the runs. The keys are documented in alloctop-compare(1) and are
 * kept: new ones may come, none goes or changes its meaning. What is not known is null, or empty. */
#include "cmd/compare.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/model/ranks.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

static const char *const use_words[] = {
	[COMPARE_UNSEEN] = "not seen", [COMPARE_UNKNOWN] = "not known", [COMPARE_UNUSED] = "not used", [COMPARE_USED] = "used",
};

static json_t *text(const char *s)
{
	if (!s || !*s) return json_null();
	char *copy = plain_text(xstrdup(s));
	json_t *j = json_string(copy);
	free(copy);
	return j;
}

static json_t *real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *words(char *const *w)
{
	json_t *all = json_array();

	for (; *w; w++) json_array_append_new(all, text(*w));
	return all;
}

static json_t *runs(const struct compare_variant *v)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < v->nruns; i++) {
		json_t *o = json_object();
		for (int f = 0; f < COMPARE_FIGURES; f++) json_object_set_new(o, compare_titles[f].key, real(v->run[i].figure[f]));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *figure(const struct comparison *c, const struct compare_variant *v, enum compare_figure f)
{
	double *x = compare_column(v, f);
	struct ranks_spread s = ranks_spread(x, v->nruns);
	json_t *o = json_object();

	free(x);
	json_object_set_new(o, "median", real(s.median));
	json_object_set_new(o, "mad", real(s.mad));
	json_object_set_new(o, "q1", real(s.q1));
	json_object_set_new(o, "q3", real(s.q3));
	json_object_set_new(o, "min", real(s.min));
	json_object_set_new(o, "max", real(s.max));
	if (v != c->variant) {
		double p = compare_p(c, v, f);
		int enough = ranks_p_least(c->variant->nruns, v->nruns) < COMPARE_ALPHA;
		json_object_set_new(o, "ratio", real(compare_ratio(c, v, f)));
		json_object_set_new(o, "p", real(p));
		json_object_set_new(o, "significant", isnan(p) || !enough ? json_null() : json_boolean(p < COMPARE_ALPHA));
	}
	return o;
}

static json_t *variant(const struct comparison *c, const struct compare_variant *v)
{
	json_t *o = json_object(), *all = json_object();

	json_object_set_new(o, "name", text(v->name));
	json_object_set_new(o, "command", words(v->argv));
	json_object_set_new(o, "preload", text(v->library));
	json_object_set_new(o, "environment", words(v->set));
	json_object_set_new(o, "skipped", text(v->skipped));
	json_object_set_new(o, "allocator", text(v->allocator));
	json_object_set_new(o, "owner", text(v->owner));
	json_object_set_new(o, "use", json_string(use_words[v->use]));
	json_object_set_new(o, "note", text(v->note));
	json_object_set_new(o, "runs", runs(v));
	for (int f = 0; f < COMPARE_FIGURES && !v->skipped; f++)
		json_object_set_new(all, compare_titles[f].key, figure(c, v, (enum compare_figure)f));
	json_object_set_new(o, "figures", all);
	return o;
}

static int json(const struct comparison *c, FILE *out, struct err *e)
{
	json_t *o = json_object(), *all = json_array();

	json_object_set_new(o, "rounds", json_integer(c->variant->nruns));
	json_object_set_new(o, "warmup", json_integer(c->warmup));
	json_object_set_new(o, "interrupted", json_boolean(c->interrupted));
	json_object_set_new(o, "service", json_boolean(c->service));
	json_object_set_new(o, "test", json_string("Mann-Whitney U, two-sided"));
	json_object_set_new(o, "alpha", json_real(COMPARE_ALPHA));
	for (size_t i = 0; i < c->n; i++) json_array_append_new(all, variant(c, &c->variant[i]));
	json_object_set_new(o, "variants", all);
	int bad = json_dumpf(o, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	json_decref(o);
	fputc('\n', out);
	return bad && !ferror(out) ? err_set(e, ERR_FAIL, "compare: making JSON of it failed") : 0;
}

/* RFC 4180. */
static void quoted(const char *s, FILE *out)
{
	if (!strpbrk(s, ",\"\r\n")) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"') fputc('"', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static int csv(const struct comparison *c, FILE *out, struct err *e)
{
	(void)e;
	fputs("variant,round", out);
	for (int f = 0; f < COMPARE_FIGURES; f++) fprintf(out, ",%s", compare_titles[f].key);
	fputc('\n', out);
	for (size_t i = 0; i < c->n; i++) {
		const struct compare_variant *v = &c->variant[i];
		for (unsigned k = 0; k < v->nruns && !v->skipped; k++) {
			quoted(v->name, out);
			fprintf(out, ",%u", k + 1);
			for (int f = 0; f < COMPARE_FIGURES; f++) {
				if (isnan(v->run[k].figure[f])) fputc(',', out);
				else fprintf(out, ",%.9g", v->run[k].figure[f]);
			}
			fputc('\n', out);
		}
	}
	return 0;
}

const struct compare_format compare_json = { "json", json }, compare_csv = { "csv", csv };
