/* pointers.c: see pointers.h. Only what is resident: a page that was never touched keeps nothing. Swapped pages count as too much. */
#include "inspect/attach/pointers.h"

#include <stdlib.h>

#include "inspect/attach/seize.h"
#include "inspect/target/mem.h"
#include "inspect/target/pagemap.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { PIECE = 256 << 10, RUNS = 64, EACH = 8 << 10 /* bytes that could be read in the time that a system call takes */ };

static const uint64_t addresses_max = 16ull << 30;      /* an older kernel tells of them page by page */

/* word: NULL when what is there is only counted. */
struct search { const struct target *t; const struct pointers_range *range, *but; uint64_t left, *word; };

/* 1 when found, or when it is more than may be looked at. */
static int look(struct search *s, uint64_t from, uint64_t to)
{
	if (to - from + EACH > s->left) return 1;
	s->left -= to - from + EACH;
	for (size_t n; s->word && from < to; from += n) {
		n = mem_read_some(s->t->mem, from, s->word, to - from < PIECE ? (size_t)(to - from) : PIECE);
		for (size_t i = 0; i < n / 8; i++)
			if (s->word[i] - s->range->start < s->range->end - s->range->start) return 1;
		if (n < 8) return 1;
	}
	return 0;
}

static int look_map(struct search *s, const struct map *m)
{
	struct pagemap_run run[RUNS];
	uint64_t until;

	if (!s->t->pages) return look(s, m->start, m->end);
	if (s->left < EACH) return 1;
	s->left -= EACH;
	for (uint64_t at = m->start; at < m->end; at = until) {
		size_t n = pagemap_runs(s->t->pages, at, m->end, run, RUNS, &until);
		for (size_t i = 0; i < n; i++)
			if (!(run[i].flags & PAGEMAP_PRESENT) || look(s, run[i].start, run[i].end)) return 1;
		if (until <= at) return 1;
	}
	return 0;
}

static int look_all(struct search *s)
{
	uint64_t addresses = 0;

	for (size_t i = 0; i < s->t->maps.n; i++) {
		const struct map *m = &s->t->maps.map[i];
		if (!m->read || !m->write || m->shared || (m->start >= s->but->start && m->end <= s->but->end)) continue;
		addresses += m->end - m->start;
		if (addresses > addresses_max || look_map(s, m)) return 1;
	}
	return 0;
}

int pointers_many(const struct target *t, const struct pointers_range *but, uint64_t most)
{
	struct search search = { .t = t, .but = but, .left = most };

	return look_all(&search);
}

int pointers_find(const struct seize *s, const struct target *t, const struct pointers_range *range, const struct pointers_range *but, uint64_t most)
{
	struct search search = { .t = t, .range = range, .but = but, .left = most };
	int found = 0;

	for (size_t i = 0; i < s->n && !found; i++) found = seize_points(s->thread[i].tid, range->start, range->end);
	if (found) return 1;
	search.word = xmalloc(PIECE);
	found = look_all(&search);
	free(search.word);
	return found;
}
