/* locks_calls.c: the calls of the allocator that an agent timed, for people, in 80 columns: how long they take, where that time goes, and
 * which callers paid for it. */
#include "cmd/locks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/lock/lock.h"
#include "inspect/model/plain.h"
#include "inspect/model/units.h"

enum { WORDS = 512 };

/* "85ns", "1.2us", "340us", "12ms", "3.4s" */
static char *duration(double s, char buf[UNITS_MAX])
{
	if (s < 0.9995e-6) snprintf(buf, UNITS_MAX, "%.0fns", s * 1e9);
	else if (s < 9.95e-6) snprintf(buf, UNITS_MAX, "%.1fus", s * 1e6);
	else return units_seconds(s, buf);
	return buf;
}

static char *sizes(const struct lock_call *c, char buf[32])
{
	char from[UNITS_MAX], to[UNITS_MAX];

	if (c->size_max == UINT64_MAX && !c->size_min) snprintf(buf, 32, "all");
	else if (c->size_max < 10000) snprintf(buf, 32, "%" PRIu64 "-%" PRIu64, c->size_min, c->size_max);
	else snprintf(buf, 32, "%s-%s", units_bytes((double)c->size_min, from), units_bytes((double)c->size_max, to));
	return buf;
}

static int is_all(const struct lock_call *c) { return !c->size_min && c->size_max == UINT64_MAX; }

/* Is this row, a class, among the first of its kind? */
static int shown(const struct lock_calls *c, size_t i, unsigned limit)
{
	size_t rank = 0;

	while (rank < i && !is_all(&c->row[i - rank])) rank++;
	return !limit || rank <= (limit + 1) / 2;
}

static void how_long(const struct lock_calls *c, unsigned limit)
{
	char size[32], rate[UNITS_MAX], p50[UNITS_MAX], p90[UNITS_MAX], p99[UNITS_MAX], max[UNITS_MAX], n[UNITS_MAX];

	printf("  %-8s %-11s %9s %7s %7s %7s %7s %8s\n", "call", "bytes", "calls/s", "p50", "p90", "p99", "max", "timed");
	for (size_t i = 0; i < c->nrows; i++) {
		const struct lock_call *x = &c->row[i];
		if (!shown(c, i, limit)) continue;
		printf("  %-8s %-11s %9s %7s %7s %7s %7s %8s\n", is_all(x) ? x->op : "", sizes(x, size), units_count(x->calls_per_s, rate), duration(x->p50_s, p50), duration(x->p90_s, p90),
		       duration(x->p99_s, p99), duration(x->max_s, max), units_count((double)x->samples, n));
	}
}

/* In six columns, also what one call makes of a short watch. */
static char *threads(double v, char buf[UNITS_MAX])
{
	snprintf(buf, UNITS_MAX, "%.*f", v < 99.9995 ? 3 : v < 9999.95 ? 1 : 0, v);
	return buf;
}

static void where_to(const struct lock_calls *c, unsigned limit)
{
	char size[32], b[7][UNITS_MAX];

	printf("  %-8s %-11s %6s %7s %9s %9s %7s %7s %7s\n", "threads", "bytes", "in all", "±", "lock wait", "spin/kern", "fault", "preempt", "plain");
	for (size_t i = 0; i < c->nrows; i++) {
		const struct lock_call *x = &c->row[i];
		if (!shown(c, i, limit) || (!is_all(x) && x->total < 0.0005)) continue;
		printf("  %-8s %-11s %6s %6s %9s %9s %7s %7s %7s\n", is_all(x) ? x->op : "", sizes(x, size), threads(x->total, b[0]), threads(x->error, b[1]), threads(x->wait, b[2]),
		       threads(x->slow, b[3]), threads(x->fault, b[4]), threads(x->preempted, b[5]), threads(x->plain, b[6]));
	}
}

/* Stacks that read the same are one line. */
struct group { char words[WORDS]; double lost; };

static int by_lost(const void *x, const void *y)
{
	const struct group *a = x, *b = y;

	return a->lost < b->lost ? 1 : a->lost > b->lost ? -1 : strcmp(a->words, b->words);
}

static void slow_ones(const struct locks_reading *r, const struct lock_calls *c, unsigned columns, unsigned limit)
{
	struct group *g = calloc(c->nstacks + 1, sizeof *g);
	double all = 0;
	size_t n = 0, j;

	for (size_t i = 0; g && i < c->nstacks; i++) {
		locks_stack(r->symbols, &c->stack[i], g[n].words, sizeof g[n].words);
		for (j = 0; strcmp(g[j].words, g[n].words); j++);
		if (j == n) g[n++].lost = 0;
		g[j].lost += c->stack[i].lost_s;
		all += c->stack[i].lost_s;
	}
	if (n) qsort(g, n, sizeof *g, by_lost);
	if (n) puts("  callers of those that waited or were slow, by the time that cost");
	for (size_t i = 0; i < n && (!limit || i < limit); i++) {
		char line[WORDS + 16];
		snprintf(line, sizeof line, "    %5.1f%%  %s", 100 * g[i].lost / all, g[i].words);
		puts(plain_cut(line, columns));
	}
	free(g);
}

void locks_calls_text(const struct locks_reading *r, unsigned columns, unsigned limit)
{
	const struct lock_calls *c = &r->report->calls;
	char one_in[UNITS_MAX], n[UNITS_MAX], head[128];

	if (!c->source || !c->nrows) return;
	snprintf(head, sizeof head, "calls of the allocator: %s timed in %.1f s, one in %s", units_count((double)c->samples, n), c->period_s, units_count(c->one_in, one_in));
	printf("\n%s%*s\n", head, (int)columns - (int)strlen(head), c->source);
	how_long(c, limit);
	putchar('\n');
	where_to(c, limit);
	slow_ones(r, c, columns, limit);
}
