/* verdict.c: see verdict.h. */
#include "inspect/verdict/verdict.h"

#include <math.h>
#include <stdlib.h>

#include "inspect/target/xalloc.h"
#include "inspect/verdict/facts.h"

double verdict_cost(const struct facts *f, const struct finding *x)
{
	/* more threads than processors cannot all be missing */
	double could_run = f->threads < f->cpus ? f->threads : f->cpus, threads = could_run > 0 ? x->cost_threads / could_run : 0;
	double rss = facts_rss(f), bytes = rss > 0 ? x->cost_bytes / rss : 0;

	return threads > bytes ? threads : bytes;
}

/* Surer ones first where the cost is the same; else the table's order. */
static int dearer(const struct facts *f, const struct finding *a, const struct finding *b)
{
	double x = verdict_cost(f, a), y = verdict_cost(f, b);

	return x > y || (!(x < y) && a->certainty > b->certainty);
}

static void append(struct finding **list, size_t *n, const struct finding *x)
{
	*list = xreallocarray(*list, *n + 1, sizeof **list);
	(*list)[(*n)++] = *x;
}

void verdict_make(const struct facts *f, struct verdict *v)
{
	*v = (struct verdict){ 0 };
	for (const struct rule *const *r = rules; *r; r++) {
		struct finding x = { .rule = *r };
		enum rule_answer answer = (*r)->test(f, &x);
		if (answer == RULE_YES) append(&v->finding, &v->nfindings, &x);
		else if (answer == RULE_UNKNOWN) append(&v->missing, &v->nmissing, &x);
		else finding_clear(&x);
	}
	for (size_t i = 1; i < v->nfindings; i++)
		for (size_t k = i; k > 0 && dearer(f, &v->finding[k], &v->finding[k - 1]); k--) {
			struct finding swap = v->finding[k];
			v->finding[k] = v->finding[k - 1];
			v->finding[k - 1] = swap;
		}
}

void verdict_free(struct verdict *v)
{
	for (size_t i = 0; i < v->nfindings; i++) finding_clear(&v->finding[i]);
	for (size_t i = 0; i < v->nmissing; i++) finding_clear(&v->missing[i]);
	free(v->finding);
	free(v->missing);
	*v = (struct verdict){ 0 };
}
