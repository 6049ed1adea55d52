/* pointers.c: see pointers.h. Only what is resident: a page that was never touched keeps nothing. Swapped pages count as too much. */
#include "inspect/attach/pointers.h"

#include <stdlib.h>

#include "inspect/attach/seize.h"
#include "inspect/target/mem.h"
#include "inspect/target/pagemap.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { PIECE = 256 << 10, RUNS = 64 };

struct search { const struct target *t; uint64_t start, end, left; uint64_t *word; };

/* 1 when found, or when it is more than may be looked at. */
static int look(struct search *s, uint64_t from, uint64_t to)
{
	if (to - from > s->left) return 1;
	s->left -= to - from;
	for (size_t n; from < to; from += n) {
		n = mem_read_some(s->t->mem, from, s->word, to - from < PIECE ? (size_t)(to - from) : PIECE);
		for (size_t i = 0; i < n / 8; i++)
			if (s->word[i] - s->start < s->end - s->start) return 1;
		if (n < 8) return 1;
	}
	return 0;
}

static int look_map(struct search *s, const struct map *m)
{
	struct pagemap_run run[RUNS];
	uint64_t until;

	if (!s->t->pages) return look(s, m->start, m->end);
	for (uint64_t at = m->start; at < m->end; at = until) {
		size_t n = pagemap_runs(s->t->pages, at, m->end, run, RUNS, &until);
		for (size_t i = 0; i < n; i++)
			if (!(run[i].flags & PAGEMAP_PRESENT) || look(s, run[i].start, run[i].end)) return 1;
		if (until <= at) return 1;
	}
	return 0;
}

int pointers_find(const struct seize *s, const struct target *t, uint64_t start, uint64_t end, uint64_t most)
{
	struct search search = { t, start, end, most, NULL };
	int found = 0;

	for (size_t i = 0; i < s->n && !found; i++) found = seize_points(s->thread[i].tid, start, end);
	if (found) return 1;
	search.word = xmalloc(PIECE);
	for (size_t i = 0; i < t->maps.n && !found; i++) {
		const struct map *m = &t->maps.map[i];
		if (m->read && m->write && !m->shared) found = look_map(&search, m);
	}
	free(search.word);
	return found;
}
