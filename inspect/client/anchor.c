/* anchor.c: see anchor.h. Looks for struct wire_anchor in the writable data of files called liballoctop. */
#include "inspect/client/anchor.h"

#include <stdlib.h>
#include <string.h>

#include "agent/wire.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { DATA_MAX = 16 << 20 };
static const char MEMFD[] = "/memfd:" WIRE_MEMFD_NAME;

static int is_agent(const struct map *m)
{
	const char *slash = strrchr(m->path, '/');

	return strstr(slash ? slash : m->path, "liballoctop") != NULL;
}

/* Anchors whose segment does not lie in one mapping are passed over. */
static int accept(struct anchor *a, const struct maps *maps, const struct wire_anchor *w)
{
	const struct map *m = w->segment ? maps_find(maps, w->segment) : NULL;

	if (w->segment && (!m || !m->read || w->size > m->end - w->segment)) return 0;
	a->found = 1;
	a->pid = (pid_t)(w->pid & INT32_MAX);
	a->version = w->version;
	a->segment = w->segment;
	a->size = w->segment ? w->size : 0;
	return 1;
}

static void scan(struct anchor *a, const struct maps *maps, const struct map *m, struct mem *mem)
{
	size_t n = m->end - m->start < DATA_MAX ? (size_t)(m->end - m->start) : DATA_MAX;
	char *bytes = xmalloc(n);

	n = mem_read_some(mem, m->start, bytes, n);
	for (size_t at = 0; at + sizeof(struct wire_anchor) <= n && !a->found; at += 8) {
		struct wire_anchor w;
		if (memcmp(bytes + at, WIRE_ANCHOR_MAGIC, sizeof w.magic)) continue;
		memcpy(&w, bytes + at, sizeof w);
		accept(a, maps, &w);
	}
	free(bytes);
}

void anchor_find(struct anchor *a, const struct maps *maps, struct mem *mem)
{
	*a = (struct anchor){ 0 };
	for (const struct map *m = maps->map; m < maps->map + maps->n; m++) {
		if (!strcmp(m->path, MEMFD)) a->loaded = 1;
		if (!is_agent(m)) continue;
		a->loaded = 1;
		if (mem && m->write && !a->found) scan(a, maps, m, mem);
	}
}

uint64_t anchor_mapping(const struct maps *maps, uint64_t inode)
{
	for (const struct map *m = maps->map; m < maps->map + maps->n; m++)
		if (m->inode == inode && m->shared && !m->offset && m->write) return m->start;
	return 0;
}
