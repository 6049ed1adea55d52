/* litter.c: see litter.h. The code in a room says which call it was there for. If that was a reservation, there may be a mapping of just this size that
 * can only be read and that nobody has ever written to, but for the tag at its beginning. A program has no use for such a one. */
#include "inspect/attach/litter.h"

#include <string.h>
#include <unistd.h>

#include "inspect/attach/inside.h"
#include "inspect/attach/remote.h"
#include "inspect/attach/session.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "inspect/target/pagemap.h"
#include "inspect/target/target.h"

enum { CODE_MAX = 512, RUNS = 4, HUGE = 2 << 20 };

int litter_is(const struct target *t, const uint64_t *room, size_t rooms)
{
	uint8_t bytes[CODE_MAX];
	size_t size = remote_size();

	for (size_t i = 0; i < rooms; i++)
		if (mem_read_some(t->mem, room[i], bytes, size) == size && remote_is_code(bytes)) return 1;
	return 0;
}

static int has_tag(const struct session *s, uint64_t at)
{
	struct home_area tag;

	return mem_read_some(s->target->mem, at, &tag, sizeof tag) == sizeof tag && !memcmp(tag.magic, HOME_AREA_MAGIC, sizeof HOME_AREA_MAGIC);
}

/* Nothing is there, or the tag's page (a huge one maybe), and the home's, which comes two pages before it and is found by the landing between them. */
static int is_untouched(const struct session *s, uint64_t start, uint64_t end)
{
	struct pagemap_run run[RUNS];
	uint64_t until;

	if (!s->target->pages) return 0;
	size_t n = pagemap_runs(s->target->pages, start, end, run, RUNS, &until);
	if (!n) return until == end;
	return until == end && run[n - 1].end - start <= HUGE && (has_tag(s, start) || has_tag(s, start + 2 * HOME_PAGE));
}

/* The reservation of a size, anywhere unless `at` says where; a single page might be anybody's. The home's page, if that follows, is the same mapping to
   the kernel. 0: there is none. */
static uint64_t find(const struct session *s, const struct maps *now, uint64_t at, uint64_t size)
{
	for (size_t i = 0; size > HOME_PAGE && i < now->n; i++) {
		const struct map *m = &now->map[i];
		uint64_t end = s->home_addr && m->end == s->home_addr + HOME_PAGE ? s->home_addr : m->end;
		if (!m->read || m->write || m->exec || m->shared || m->inode || (*m->path && strncmp(m->path, "[anon:", 6))) continue;
		if (end - m->start == size && (!at || at == m->start) && is_untouched(s, m->start, end)) return m->start;
	}
	return 0;
}

void litter_clear(struct session *s, const struct maps *now)
{
	uint8_t bytes[CODE_MAX];
	size_t size = remote_size();
	struct err unimportant;

	for (size_t i = 0; i < s->rooms; i++) {
		struct inside_range range = { s->room[i], s->room[i] + size };
		uint64_t note[2], found;
		if (pread(s->mem, bytes, size, (off_t)s->room[i]) != (ssize_t)size || !remote_is_code(bytes)) continue;
		if (inside_find(&s->seize, s->target, NULL, 0, &range, 1)) continue;
		remote_note(bytes, note);
		if ((found = find(s, now, note[0], note[1])) && session_unmap(s, found, note[1], &unimportant)) return;
		remote_original(s->target, s->room[i], bytes, size);
		if (pwrite(s->mem, bytes, size, (off_t)s->room[i]) < 0) return;
	}
}
