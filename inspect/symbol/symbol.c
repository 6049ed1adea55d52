/* symbol.c: the symbolizer: asks, in order, its memory, the cache on disk, the module's files, the map of JIT code. See symbol.h. */
#include "inspect/symbol/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/symbol/cache.h"
#include "inspect/symbol/find.h"
#include "inspect/symbol/modules.h"
#include "inspect/symbol/names.h"
#include "inspect/symbol/object.h"
#include "inspect/symbol/perfmap.h"
#include "inspect/symbol/root.h"
#include "inspect/target/err.h"
#include "inspect/target/maps.h"
#include "inspect/target/mem.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

enum { DEPTH_MAX = 128, CHUNK = 4096, MAPS_READS_MAX = 16 };

struct known { uint64_t addr; const struct symbol_frame *frames; uint32_t n; uint32_t used; };
struct chunk { struct chunk *next; size_t used; struct symbol_frame frame[CHUNK]; };

struct symbolizer {
	struct symbol_options options;
	struct find find;
	struct maps maps;
	struct modules modules;
	struct names *names;
	struct perfmap *perfmap;
	struct known *known;
	size_t n, cap;                  /* cap: a power of two */
	struct chunk *chunk;
	unsigned maps_reads;
};

/* ---- what was looked up before ---- */

static struct known *slot_of(const struct symbolizer *s, uint64_t addr)
{
	size_t at = (addr * 0x9e3779b97f4a7c15) >> 20 & (s->cap - 1);
	while (s->known[at].used && s->known[at].addr != addr) at = (at + 1) & (s->cap - 1);
	return &s->known[at];
}

static void grow(struct symbolizer *s)
{
	struct known *old = s->known;
	size_t cap = s->cap;
	s->cap = cap ? cap * 2 : 4096;
	s->known = xcalloc(s->cap, sizeof *s->known);
	for (size_t i = 0; i < cap; i++)
		if (old[i].used) *slot_of(s, old[i].addr) = old[i];
	free(old);
}

static const struct symbol_frame *keep(struct symbolizer *s, const struct symbol_frame *f, size_t n)
{
	if (!s->chunk || CHUNK - s->chunk->used < n) {
		struct chunk *c = xmalloc(sizeof *c);
		c->next = s->chunk;
		c->used = 0;
		s->chunk = c;
	}
	struct symbol_frame *to = s->chunk->frame + s->chunk->used;
	memcpy(to, f, n * sizeof *f);
	s->chunk->used += n;
	return to;
}

static const struct known *remember(struct symbolizer *s, uint64_t addr, const struct symbol_frame *f, size_t n)
{
	if (s->n >= s->cap / 2) grow(s);
	struct known *k = slot_of(s, addr);
	if (!k->used) s->n++;
	*k = (struct known){addr, keep(s, f, n), (uint32_t)n, 1};
	return k;
}

/* ---- the process ---- */

static void open_process(struct symbolizer *s)
{
	char path[64];
	struct err e;
	struct proc p;
	pid_t pid = s->options.pid;
	s->find.pid = pid;
	s->find.mem = mem_open_pid(pid, &e);
	if (!maps_read(&s->maps, pid, &e)) s->find.maps = &s->maps;
	if (s->find.root < 0) {
		snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
		s->find.root = root_open(path);
	}
	if (s->find.root >= 0 && !proc_read(&p, pid, &e)) s->perfmap = perfmap_open(s->find.root, p.inner_pid, p.uid);
	modules_add_maps(&s->modules, &s->maps, s->find.mem);
}

struct symbolizer *symbol_open(const struct symbol_module *modules, size_t n, const struct symbol_options *o, struct err *e)
{
	struct symbolizer *s = xcalloc(1, sizeof *s);
	(void)e;                /* out of memory ends the command, and nothing else fails */
	if (o) s->options = *o;
	s->names = names_new();
	s->find.host = root_open("/");
	s->find.root = s->options.sysroot ? root_open(s->options.sysroot) : -1;
	grow(s);
	for (size_t i = 0; i < n; i++) modules_add(&s->modules, &modules[i], 0);
	if (s->options.pid > 0) open_process(s);
	/* not permitted, or gone: the same path here, which the build ID confirms or not */
	if (s->find.root < 0 && !s->options.sysroot) s->find.root = root_open("/");
	spans_sort(&s->modules.spans);
	return s;
}

void symbol_close(struct symbolizer *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->modules.n; i++) {
		cache_close(s->modules.module[i]->cache, s->names);
		object_close(s->modules.module[i]->object);
	}
	modules_free(&s->modules);
	perfmap_close(s->perfmap);
	mem_close(s->find.mem);
	maps_free(&s->maps);
	if (s->find.root >= 0) close(s->find.root);
	if (s->find.host >= 0) close(s->find.host);
	for (struct chunk *c = s->chunk, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(s->known);
	names_free(s->names);
	free(s);
}

/* An address of no module: something was loaded since, perhaps. Only so often: every address of unknown code asks. */
static struct module *module_of(struct symbolizer *s, uint64_t addr)
{
	struct module *m = modules_find(&s->modules, addr);
	struct err e;
	if (m || !s->options.pid || s->maps_reads >= MAPS_READS_MAX) return m;
	s->maps_reads++;
	maps_free(&s->maps);
	s->find.maps = maps_read(&s->maps, s->options.pid, &e) ? NULL : &s->maps;
	modules_add_maps(&s->modules, &s->maps, s->find.mem);
	return modules_find(&s->modules, addr);
}

const struct symbol_module *symbol_module_of(struct symbolizer *s, uint64_t addr)
{
	struct module *m = module_of(s, addr);
	return m ? &m->m : NULL;
}

/* ---- looking up ---- */

static void look(struct symbolizer *s, struct module *m)
{
	m->looked = 1;
	if (!strcmp(m->m.path, "[jit]")) return;
	m->object = object_open(&s->find, &m->m);
	/* a piece of a file mapped somewhere else, as V8 does with its built-in code: only the file tells what addresses it has */
	uint64_t vaddr;
	if (m->object && m->live && m->m.file_offset && !object_address(m->object, m->m.file_offset, &vaddr)) m->m.bias = m->m.start - vaddr;
	if (m->object) m->cache = cache_open(m->m.build_id, m->m.build_id_size, object_key(m->object));
}

static const struct known *from_module(struct symbolizer *s, struct module *m, uint64_t addr, struct symbol_frame *f)
{
	if (!m->looked) look(s, m);
	uint64_t vaddr = addr - m->m.bias;
	if (!m->object) return NULL;
	int n = m->cache ? cache_find(m->cache, vaddr, f, DEPTH_MAX, s->names) : -1;
	if (n >= 0) return n ? remember(s, addr, f, (size_t)n) : NULL;
	size_t found = object_find(m->object, vaddr, f, DEPTH_MAX, s->names);
	const struct known *k = found ? remember(s, addr, f, found) : NULL;
	if (m->cache) cache_add(m->cache, vaddr, k ? k->frames : NULL, found);
	return k;
}

static const struct known *from_perfmap(struct symbolizer *s, uint64_t addr, struct symbol_frame *f)
{
	const char *name = s->perfmap ? perfmap_find(s->perfmap, addr) : NULL;
	if (!name) return NULL;
	const char *kept = names_keep(s->names, name);
	*f = (struct symbol_frame){.function = kept, .linkage = kept, .file = names_keep(s->names, NULL)};
	return remember(s, addr, f, 1);
}

static const struct known *resolve(struct symbolizer *s, uint64_t addr)
{
	struct symbol_frame f[DEPTH_MAX];
	const struct known *k = slot_of(s, addr);
	if (k->used) return k;
	struct module *m = module_of(s, addr);
	k = m ? from_module(s, m, addr, f) : NULL;
	if (!k) k = from_perfmap(s, addr, f);
	/* where code may still appear, the next time may find it */
	if (!k && m && m->object) k = remember(s, addr, f, 0);
	return k;
}

size_t symbol_lookup(struct symbolizer *s, uint64_t addr, struct symbol_frame *frames, size_t max)
{
	const struct known *k = resolve(s, addr);
	if (!k || !k->n || !max) return 0;
	const struct symbol_frame *from = k->frames;
	size_t n = k->n;
	if (s->options.no_inlines) {
		from += n - 1;
		n = 1;
	}
	if (n > max) n = max;
	memcpy(frames, from, n * sizeof *frames);
	return n;
}

struct walking { const struct symbol_walk *walk; uint64_t bias; };

static void on_function(void *arg, const char *name, uint64_t start, uint64_t end)
{
	const struct walking *w = arg;
	w->walk->function(w->walk->arg, name, start + w->bias, end + w->bias);
}

void symbol_each(struct symbolizer *s, const struct symbol_walk *walk)
{
	for (size_t i = 0; i < s->modules.n; i++) {
		struct module *m = s->modules.module[i];
		if (!walk->module(walk->arg, &m->m)) continue;
		if (!m->looked) look(s, m);
		struct walking w = {walk, m->m.bias};
		if (m->object) object_each(m->object, on_function, &w);
	}
}
