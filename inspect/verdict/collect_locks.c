/* collect_locks.c: see collect_locks.h. */
#include "inspect/verdict/collect_locks.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/lock/lock.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/collect.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/where.h"

enum { STACKS = 5, STACKS_LOOKED_AT = 200, LOCKS = 64 };

struct collect_locks { struct lock_options o; const int *interrupt; struct target t; struct lock_report r; struct err e; pthread_t thread; int opened, started, bad; };

static void *go(void *arg)
{
	struct collect_locks *l = arg;

	l->bad = lock_measure(&l->t, &l->o, l->interrupt, &l->r, &l->e);
	return NULL;
}

struct collect_locks *collect_locks_begin(pid_t pid, const struct collect_options *o)
{
	struct collect_locks *l = xcalloc(1, sizeof *l);

	l->o = (struct lock_options){ .period_s = o->watch_s, .no_stop = !o->stop, .no_agent = 1 };
	l->interrupt = o->interrupt;
	l->bad = -1;
	l->opened = !target_open_pid(&l->t, pid, &l->e);
	l->started = l->opened && !pthread_create(&l->thread, NULL, go, l);
	if (l->opened && !l->started) err_set(&l->e, ERR_FAIL, "no thread could be started to watch the locks");
	return l;
}

static int by_share(const void *a, const void *b)
{
	const struct facts_from *x = a, *y = b;

	return x->share < y->share ? 1 : x->share > y->share ? -1 : strcmp(x->stack, y->stack);
}

/* Stacks that read the same are one. */
static void gather(struct facts_lock *l, struct symbolizer *s)
{
	const struct lock_row *row = l->row;
	size_t n = row->nstacks < STACKS_LOOKED_AT ? row->nstacks : STACKS_LOOKED_AT;
	double lost = 0, all = 0;

	for (size_t i = 0; i < row->nstacks; i++) lost += fmax(row->stack[i].lost_s, 0);
	for (size_t i = 0; i < row->nstacks; i++) all += lost > 0 ? fmax(row->stack[i].lost_s, 0) : row->stack[i].waits;
	l->from = xcalloc(n + 1, sizeof *l->from);
	for (size_t i = 0, k; i < n && all > 0; i++) {
		const struct lock_stack *st = &row->stack[i];
		char *words = where_words(s, st->pc, st->depth, st->scanned, 0);
		for (k = 0; k < l->nfrom && strcmp(l->from[k].stack, words); k++) ;
		if (k == l->nfrom) l->from[l->nfrom++].stack = words;
		else free(words);
		l->from[k].share += (lost > 0 ? fmax(st->lost_s, 0) : st->waits) / all;
	}
	qsort(l->from, l->nfrom, sizeof *l->from, by_share);
	while (l->nfrom > STACKS) free(l->from[--l->nfrom].stack);
}

static void fill(struct facts *f, struct symbolizer *s)
{
	f->lock = xcalloc(LOCKS, sizeof *f->lock);
	for (size_t i = 0; i < f->locks.nrows && f->nlocks < LOCKS; i++) {
		if (!*f->locks.row[i].allocator) continue;
		f->lock[f->nlocks].row = &f->locks.row[i];
		gather(&f->lock[f->nlocks++], s);
	}
}

void collect_locks_end(struct collect_locks *l, struct facts *f)
{
	struct symbol_options so = { 0 };
	struct err e;

	if (l->started) pthread_join(l->thread, NULL);
	f->locks_group.known = !l->bad;
	if (l->bad) snprintf(f->locks_group.why, sizeof f->locks_group.why, "%.230s", l->e.text);
	else {
		so.pid = l->t.pid;
		struct symbolizer *s = symbol_open(NULL, 0, &so, &e);
		f->locks = l->r;
		fill(f, s);
		symbol_close(s);
	}
	if (l->opened) target_close(&l->t);
	free(l);
}
