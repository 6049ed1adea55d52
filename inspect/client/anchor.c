/* anchor.c: see anchor.h. Looks for struct wire_anchor in the writable data of files called liballoctop, of an attached image, and of the program
 * itself, as the agent may be linked into it. */
#include "inspect/client/anchor.h"

#include <stdlib.h>
#include <string.h>

#include "agent/wire.h"
#include "inspect/client/home.h"
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
	a->idle = w->idle;
	a->segment = w->segment;
	a->size = w->segment ? w->size : 0;
	return 1;
}

static void scan(struct anchor *a, const struct maps *maps, uint64_t start, uint64_t end, struct mem *mem)
{
	size_t n = end - start < DATA_MAX ? (size_t)(end - start) : DATA_MAX;
	char *bytes = xmalloc(n);

	n = mem_read_some(mem, start, bytes, n);
	for (size_t at = 0; at + sizeof(struct wire_anchor) <= n && !a->found; at += 8) {
		struct wire_anchor w;
		if (memcmp(bytes + at, WIRE_ANCHOR_MAGIC, sizeof w.magic)) continue;
		memcpy(&w, bytes + at, sizeof w);
		accept(a, maps, &w);
	}
	free(bytes);
}

/* Put there by alloctop attach. */
static void find_attached(struct anchor *a, const struct maps *maps, struct mem *mem)
{
	struct home h;
	const struct map *m = home_find(maps, mem, &h) && h.state == HOME_ATTACHED ? maps_find(maps, h.data) : NULL;

	if (!m || !m->write || h.data >= h.data_end || h.data_end > m->end) return;
	a->loaded = a->attached = 1;
	scan(a, maps, h.data, h.data_end, mem);
}

/* Linked into the program, whose file is the lowest one. */
static void find_linked(struct anchor *a, const struct maps *maps, struct mem *mem)
{
	const struct map *program = maps->map;

	while (program < maps->map + maps->n && !program->inode) program++;
	for (const struct map *m = program; m < maps->map + maps->n && m->inode && !a->found; m++)
		if (m->inode == program->inode && m->write && !m->shared) scan(a, maps, m->start, m->end, mem);
	a->loaded |= a->found;
}

void anchor_find(struct anchor *a, const struct maps *maps, struct mem *mem)
{
	*a = (struct anchor){ 0 };
	if (mem) find_attached(a, maps, mem);
	else a->loaded = a->attached = home_likely(maps);
	for (const struct map *m = maps->map; m < maps->map + maps->n; m++) {
		/* who only reads segment or file, as a screen does, has no agent */
		if (!strcmp(m->path, MEMFD) && m->write) a->loaded = 1;
		if (!is_agent(m)) continue;
		if (m->exec || m->write) a->loaded = 1;
		if (mem && m->write && !a->found) scan(a, maps, m->start, m->end, mem);
	}
	if (mem && !a->found) find_linked(a, maps, mem);
}

uint64_t anchor_mapping(const struct maps *maps, uint64_t inode)
{
	for (const struct map *m = maps->map; m < maps->map + maps->n; m++)
		if (m->inode == inode && m->shared && !m->offset && m->write) return m->start;
	return 0;
}
