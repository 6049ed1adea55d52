/* home.c: see home.h. An anonymous page that is read-only right before one that is executable: few processes have any. */
#include "inspect/client/home.h"

#include <string.h>

#include "inspect/target/maps.h"
#include "inspect/target/mem.h"

static int is_plain(const struct map *m)
{
	return !m->inode && !m->shared && m->read && !m->write && (!*m->path || !strncmp(m->path, "[anon:", 6));
}

static int is_landing(const struct maps *maps, size_t i)
{
	const struct map *m = &maps->map[i];

	return i && m->exec && is_plain(m) && is_plain(m - 1) && !m[-1].exec && m[-1].end == m->start;
}

int home_likely(const struct maps *maps)
{
	for (size_t i = 1; i < maps->n; i++)
		if (is_landing(maps, i)) return 1;
	return 0;
}

uint64_t home_find(const struct maps *maps, struct mem *mem, struct home *out)
{
	for (size_t i = 1; i < maps->n; i++) {
		uint64_t at = maps->map[i].start - HOME_PAGE;
		if (!is_landing(maps, i) || mem_read_some(mem, at, out, sizeof *out) < sizeof *out) continue;
		if (!memcmp(out->magic, HOME_MAGIC, sizeof HOME_MAGIC)) return at;
	}
	return 0;
}
