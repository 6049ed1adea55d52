/* groups.c: the processes as a tree of control groups, as /proc names them. What is a sum over the processes below is one, of those that
 * are known: all unknown is unknown. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/known.h"
#include "tui/processes.h"

enum { DEPTH_MAX = 16, PART_MAX = 200 };

struct path { const char *at; size_t n; };      /* one part of a path */

static int by_group(const void *a, const void *b)
{
	const struct known *x = *(const struct known *const *)a, *y = *(const struct known *const *)b;

	return strcmp(x->group, y->group);
}

static void add_up(struct table_row *to, const struct table_row *r)
{
	static const int sums[] = {
		PROCESSES_RSS, PROCESSES_LIVE, PROCESSES_RETAINED, PROCESSES_GROWTH, PROCESSES_INSIDE, PROCESSES_RATE, PROCESSES_THREADS,
	};

	for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
		double *n = &to->cell[sums[i]].number, v = r->cell[sums[i]].number;
		if (!isnan(v)) *n = isnan(*n) ? v : *n + v;
	}
}

/* "/a/b" is { a, b }; none at all is one of its own. */
static unsigned split(const char *group, struct path out[DEPTH_MAX])
{
	unsigned n = 0;

	while (*(group += strspn(group, "/")) && n < DEPTH_MAX) {
		out[n] = (struct path){ group, strcspn(group, "/") };
		group += out[n++].n;
	}
	if (!n) out[n++] = (struct path){ "(no container)", strlen("(no container)") };
	return n;
}

struct table *groups_table(const struct known **k, size_t n, double now)
{
	struct table *t = table_new(panel_groups.shape);
	struct path was[DEPTH_MAX], is[DEPTH_MAX];
	size_t head[DEPTH_MAX];
	unsigned depth = 0;
	char name[PART_MAX];

	qsort(k, n, sizeof *k, by_group);
	for (size_t i = 0; i < n; i++) {
		unsigned parts = split(k[i]->group, is), same = 0;
		uint64_t id = 7;
		while (same < depth && same < parts && was[same].n == is[same].n && !memcmp(was[same].at, is[same].at, is[same].n)) same++;
		for (unsigned d = 0; d < parts; d++) {
			snprintf(name, sizeof name, "%.*s", (int)(is[d].n < PART_MAX ? is[d].n : PART_MAX - 1), is[d].at);
			id = table_id(id, name);
			if (d < same) continue;
			head[d] = t->nrows;
			struct table_row *r = table_add(t, id);
			r->depth = d;
			r->cell[PROCESSES_COMMAND].text = table_text(t, name);
		}
		memcpy(was, is, sizeof was);
		depth = parts;
		processes_row(t, k[i], now)->depth = parts;
		for (unsigned d = 0; d < parts; d++) add_up(&t->row[head[d]], &t->row[t->nrows - 1]);
	}
	return t;
}
