/* modules.c: the list of modules. See modules.h. */
#include "inspect/symbol/modules.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/symbol/image.h"
#include "inspect/target/maps.h"
#include "inspect/target/xalloc.h"

void modules_add(struct modules *ms, const struct symbol_module *m, int live)
{
	if (ms->n == ms->cap) {
		ms->cap = ms->cap ? ms->cap * 2 : 32;
		ms->module = xreallocarray(ms->module, ms->cap, sizeof *ms->module);
	}
	struct module *new = xcalloc(1, sizeof *new);
	new->m = *m;
	new->live = (uint8_t)live;
	/* the vdso has as many names as there are loaders */
	int vdso = strstr(m->path, "linux-vdso.so") || strstr(m->path, "linux-gate.so");
	new->m.path = xstrdup(vdso ? "[vdso]" : m->path);
	if (new->m.build_id_size > sizeof new->m.build_id) new->m.build_id_size = 0;
	spans_add(&ms->spans, m->start, m->end, (uint32_t)ms->n);
	ms->module[ms->n++] = new;
}

static int same_name(const struct map *a, const struct map *b)
{
	return maps_same_file(a, b) && !strcmp(a->path, b->path);
}

/* How many maps from `first` on belong to one loaded object: the same file at growing offsets. A single map of no file in between
   is text that was moved to huge pages. */
static size_t extent(const struct map *first, size_t left)
{
	size_t n = 1, last = 0;
	if (!first->inode) return 1;
	for (size_t i = 1; i < left && i - last <= 2; i++) {
		if (!same_name(first, &first[i])) {
			if (first[i].inode || *first[i].path == '[') break;
			continue;
		}
		if (first[i].offset <= first[last].offset) break;
		last = i;
		n = i + 1;
	}
	return n;
}

static int covered(const struct modules *ms, const struct symbol_module *m)
{
	for (size_t i = 0; i < ms->n; i++)
		if (ms->module[i]->m.start < m->end && m->start < ms->module[i]->m.end) return 1;
	return 0;
}

void modules_add_maps(struct modules *ms, const struct maps *maps, struct mem *mem)
{
	for (size_t i = 0, n; i < maps->n; i += n) {
		const struct map *first = &maps->map[i];
		int exec = 0, vdso = !strcmp(first->path, "[vdso]");
		n = extent(first, maps->n - i);
		for (size_t k = 0; k < n; k++) exec |= first[k].exec;
		if (!exec || !strcmp(first->path, "[vsyscall]")) continue;
		struct symbol_module m = {
			.start = first->start, .end = first[n - 1].end,
			.bias = first->start - first->offset, .file_offset = first->offset,
			.path = first->inode || vdso ? first->path : "[jit]",
		};
		if (covered(ms, &m)) continue;
		if (!strcmp(m.path, "[jit]")) m.bias = 0;
		else if (mem && first->offset == 0) image_head(mem, &m);
		modules_add(ms, &m, 1);
	}
	spans_sort(&ms->spans);
}

struct module *modules_find(const struct modules *ms, uint64_t addr)
{
	const struct span *best = NULL;
	for (const struct span *s = NULL; (s = spans_find(&ms->spans, addr, s));)
		if (!best || s->id > best->id) best = s;
	return best ? ms->module[best->id] : NULL;
}

void modules_free(struct modules *ms)
{
	for (size_t i = 0; i < ms->n; i++) {
		free((char *)ms->module[i]->m.path);
		free(ms->module[i]);
	}
	free(ms->module);
	spans_free(&ms->spans);
	*ms = (struct modules){0};
}
