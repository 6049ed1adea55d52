/* collect_faults.c: see collect_faults.h. */
#include "inspect/verdict/collect_faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/perf/cost.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/collect.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/where.h"

enum { STACKS = 5, STACKS_LOOKED_AT = 500 };

struct collect_faults { pid_t pid; const struct collect_options *o; struct cost *cost; struct err e; pthread_t thread; int started; };

static void *go(void *arg)
{
	struct collect_faults *c = arg;
	struct cost_options co = { .events = "page-faults", .all_stacks = 1 };

	if (!cost_open(&c->cost, c->pid, &co, &c->e)) cost_measure(c->cost, c->o->watch_s, c->o->interrupt);
	else c->cost = NULL;
	return NULL;
}

struct collect_faults *collect_faults_begin(pid_t pid, const struct collect_options *o)
{
	struct collect_faults *c = xcalloc(1, sizeof *c);

	c->pid = pid;
	c->o = o;
	c->started = !pthread_create(&c->thread, NULL, go, c);
	if (!c->started) err_set(&c->e, ERR_FAIL, "no thread could be started to watch page faults");
	return c;
}

static int by_weight(const void *a, const void *b)
{
	double x = ((const struct cost_stack *)a)->weight[0], y = ((const struct cost_stack *)b)->weight[0];

	return x < y ? 1 : -(x > y);
}

static int by_share(const void *a, const void *b)
{
	const struct facts_from *x = a, *y = b;

	return x->share < y->share ? 1 : x->share > y->share ? -1 : strcmp(x->stack, y->stack);
}

/* Stacks that read the same are one. What the allocator does for the program counts with who called it. */
static void gather(const struct cost *c, struct facts *f)
{
	size_t n = c->nstacks < STACKS_LOOKED_AT ? c->nstacks : STACKS_LOOKED_AT, k;
	double all = 0;

	if (c->nstacks) qsort(c->stack, c->nstacks, sizeof *c->stack, by_weight);
	for (size_t i = 0; i < c->nstacks; i++) all += c->stack[i].weight[0];
	f->fault = xcalloc(n + 1, sizeof *f->fault);
	for (size_t i = 0; i < n && all > 0; i++) {
		const struct cost_stack *s = &c->stack[i];
		unsigned inside = s->inside < s->depth ? s->inside : 0;
		struct symbolizer *symbols = s->image < c->nimages ? c->image[s->image].symbols : NULL;
		char *words = where_words(symbols, s->pc + inside, s->depth - inside, 0, inside > 0);
		for (k = 0; k < f->nfaults && strcmp(f->fault[k].stack, words); k++) ;
		if (k == f->nfaults) f->fault[f->nfaults++].stack = words;
		else free(words);
		f->fault[k].share += s->weight[0] / all;
	}
	if (f->nfaults) qsort(f->fault, f->nfaults, sizeof *f->fault, by_share);
	while (f->nfaults > STACKS) free(f->fault[--f->nfaults].stack);
}

void collect_faults_end(struct collect_faults *c, struct facts *f)
{
	if (c->started) pthread_join(c->thread, NULL);
	f->faults_group.known = c->cost && c->cost->nevents && !c->cost->event[0].refused;
	if (f->faults_group.known) gather(c->cost, f);
	else snprintf(f->faults_group.why, sizeof f->faults_group.why, "%.230s", c->cost ? "page faults may not be watched (see perf_event_paranoid)" : c->e.text);
	if (c->cost) cost_close(c->cost);
	free(c);
}
