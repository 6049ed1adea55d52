/* profile_text.c: narrows mappings to their code, as pprof's readers expect them. */
#include <string.h>

#include "inspect/model/profile.h"
#include "inspect/target/maps.h"

/* The mapped code of one object: its first executable map, and what continues it in memory and in the file. */
static void narrow(struct profile_mapping *m, const struct maps *maps)
{
	size_t i = 0;
	for (; i < maps->n; i++) {
		const struct map *t = &maps->map[i];
		if (t->exec && *t->path == '/' && t->start >= m->start && t->start < m->end) break;
	}
	if (i == maps->n) return;
	const struct map *text = &maps->map[i], *last = text;
	while (++i < maps->n) {
		const struct map *next = &maps->map[i];
		if (!next->exec || next->start != last->end || next->inode != text->inode ||
		    next->offset - text->offset != next->start - text->start) break;
		last = next;
	}
	m->start = text->start;
	m->end = last->end;
	m->offset = text->offset;
}

void profile_text_mappings(struct profile *p, const struct maps *maps)
{
	for (size_t i = 1; i < p->nmappings; i++)
		if (*p->mapping[i].path == '/') narrow(&p->mapping[i], maps);
}
