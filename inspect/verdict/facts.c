/* facts.c: see facts.h: what the rules ask of the facts, and their end. */
#include "inspect/verdict/facts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

const struct heap_allocator *facts_allocator(const struct facts *f, const char *name)
{
	/* one that has nothing at this moment may be busy all the same: where none is in use, all are */
	int used = 0;

	for (size_t i = 0; i < f->heap.nallocators; i++) used |= f->heap.allocator[i].in_use;
	for (size_t i = 0; i < f->heap.nallocators; i++)
		if (f->heap.allocator[i].in_use == used && begins(f->heap.allocator[i].name, name)) return &f->heap.allocator[i];
	return NULL;
}

const struct heap_allocator *facts_before(const struct facts *f, const struct heap_allocator *a)
{
	for (size_t i = 0; a && i < f->before.nallocators; i++)
		if (f->before.allocator[i].state == a->state && !strcmp(f->before.allocator[i].name, a->name)) return &f->before.allocator[i];
	return NULL;
}

const struct facts_deployed *facts_deployed(const struct facts *f, const struct heap_allocator *a)
{
	return f->deployed && a >= f->heap.allocator && a < f->heap.allocator + f->heap.nallocators ? &f->deployed[a - f->heap.allocator] : NULL;
}

double facts_fact(const struct heap_allocator *a, const char *name)
{
	for (size_t i = 0; a && i < a->nfacts; i++)
		if (!strcmp(a->fact[i].name, name)) return a->fact[i].value;
	return NAN;
}

double facts_rss(const struct facts *f)
{
	return f->heap.ledger.rss ? (double)f->heap.ledger.rss : f->nseries ? f->series[f->nseries - 1].rss : NAN;
}

double facts_fact_per_s(const struct facts *f, const struct heap_allocator *a, const char *name)
{
	double grown = facts_fact(a, name) - facts_fact(facts_before(f, a), name);

	return f->watch_s > 0 && grown >= 0 ? grown / f->watch_s : NAN;
}

double facts_bytes(uint64_t v) { return v == HEAP_UNKNOWN ? NAN : (double)v; }

static double rows(const struct ledger *l, const char *allocator, const char *part)
{
	double sum = 0;

	for (size_t i = 0; i < l->nrows; i++) {
		const struct ledger_row *r = &l->row[i];
		const char *colon = strstr(r->name, ": ");
		if (!allocator ? !colon && begins(r->name, part) : colon && begins(r->name, allocator) && begins(colon + 2, part)) sum += (double)r->bytes;
	}
	return sum;
}

double facts_ledger(const struct facts *f, const char *allocator, const char *part)
{
	return f->heap_group.known ? rows(&f->heap.ledger, allocator, part) : NAN;
}

double facts_steady(const struct facts *f, const char *allocator, const char *part)
{
	double end = facts_ledger(f, allocator, part);

	return f->before.ledger.nrows ? fmin(end, rows(&f->before.ledger, allocator, part)) : end;
}

const char *facts_env(const struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->id.nenv; i++)
		if (!strcmp(f->id.env[i].name, name)) return f->id.env[i].value;
	return NULL;
}

int facts_version(const char *version, unsigned major, unsigned minor)
{
	unsigned a, b;

	if (sscanf(version, "%u.%u", &a, &b) != 2) return -1;
	return a > major || (a == major && b >= minor);
}

double facts_rate(const struct facts *f, size_t figure)
{
	double first = NAN, at = 0, last = NAN, until = 0;

	for (size_t i = 0; i < f->nseries; i++) {
		double v;
		memcpy(&v, (const char *)&f->series[i] + figure, sizeof v);
		if (isnan(v)) continue;
		if (isnan(first)) first = v, at = f->series[i].at;
		last = v, until = f->series[i].at;
	}
	return until > at ? (last - first) / (until - at) : NAN;
}

double facts_cpu(const struct facts *f)
{
	return facts_rate(f, offsetof(struct facts_moment, user_s)) + facts_rate(f, offsetof(struct facts_moment, system_s));
}

void facts_free(struct facts *f)
{
	for (size_t i = 0; i < f->nlocks; i++) {
		for (size_t k = 0; k < f->lock[i].nfrom; k++) free(f->lock[i].from[k].stack);
		free(f->lock[i].from);
	}
	for (size_t i = 0; i < f->nsites; i++) {
		free((void *)(uintptr_t)f->site[i].function);
		free((void *)(uintptr_t)f->site[i].caller);
		free((void *)(uintptr_t)f->site[i].stack);
	}
	for (size_t i = 0; i < f->nfaults; i++) free(f->fault[i].stack);
	free(f->fault);
	free(f->lock);
	free(f->site);
	free(f->deployed);
	lock_report_free(&f->locks);
	heap_free(&f->heap);
	heap_free(&f->before);
	*f = (struct facts){ 0 };
}
