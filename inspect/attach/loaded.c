/* loaded.c: see loaded.h. Everything read is the target's word: headers are bounded, and believed only when the maps agree. */
#include "inspect/attach/loaded.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { DYN_MAX = 512, LINK_MAX = 16384, PAGE = 4096 };

static uint64_t page_down(uint64_t v) { return v & -(uint64_t)PAGE; }
static uint64_t page_up(uint64_t v) { return page_down(v + PAGE - 1); }

static int read_headers(struct loaded *o, const struct target *t, const struct map *m)
{
	Elf64_Ehdr h;
	uint64_t first = UINT64_MAX, end = 0;

	if (mem_read_some(t->mem, m->start, &h, sizeof h) < sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG)) return -1;
	if (h.e_ident[EI_CLASS] != ELFCLASS64 || (h.e_type != ET_EXEC && h.e_type != ET_DYN) || h.e_phentsize != sizeof *o->phdr) return -1;
	if (!h.e_phnum || h.e_phnum > LOADED_PHDRS || h.e_phoff > m->end - m->start - sizeof o->phdr) return -1;
	size_t bytes = h.e_phnum * sizeof *o->phdr;
	if (mem_read_some(t->mem, m->start + h.e_phoff, o->phdr, bytes) < bytes) return -1;
	o->nphdr = h.e_phnum;
	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		uint64_t top;
		if (p->p_type != PT_LOAD) continue;
		if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &top) || top > 1ull << 47 || p->p_filesz > p->p_memsz) return -1;
		if (first == UINT64_MAX) first = page_down(p->p_vaddr);
		if (top > end) end = top;
	}
	if (first == UINT64_MAX || first > m->start || end <= first || m->start > (1ull << 47) - (end - first)) return -1;
	o->bias = m->start - first;
	o->start = m->start;
	o->end = page_up(m->start + (end - first));
	return 0;
}

/* A file that a program reads by mmap has its headers in memory too, but not its code where they say. */
static int is_loaded(const struct loaded *o, const struct target *t, const struct map *head)
{
	int code = 0;

	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !p->p_memsz) continue;
		const struct map *m = maps_find(&t->maps, o->bias + p->p_vaddr);
		if (!m || !m->exec || (m->inode && !maps_same_file(m, head))) return 0;
		code = 1;
	}
	return code;
}

static void take_dynamic(struct loaded *o)
{
	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		if (p->p_type != PT_DYNAMIC || p->p_vaddr < o->start - o->bias || p->p_memsz > o->end - o->bias - p->p_vaddr) continue;
		o->dynamic = o->bias + p->p_vaddr;
		o->dynamic_size = p->p_memsz < DYN_MAX * sizeof(Elf64_Dyn) ? p->p_memsz : DYN_MAX * sizeof(Elf64_Dyn);
	}
}

/* ---- the loader's order --------------------------------------------------------------------------------------------------------------- */

static uint64_t debug_address(const struct target *t, const struct loaded *o)
{
	Elf64_Dyn d[DYN_MAX];
	size_t n = o->dynamic ? mem_read_some(t->mem, o->dynamic, d, o->dynamic_size) / sizeof *d : 0;

	for (size_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		if (d[i].d_tag == DT_DEBUG) return d[i].d_un.d_ptr;
	return 0;
}

static struct loaded *with_dynamic(const struct loadeds *l, uint64_t dynamic)
{
	for (size_t i = 0; dynamic && i < l->n; i++)
		if (l->object[i].dynamic == dynamic) return &l->object[i];
	return NULL;
}

/* Along struct link_map, as glibc and musl both have it: address, name, dynamic section, next. Its objects go to the front. */
static void order(struct loadeds *l, const struct target *t)
{
	uint64_t debug[2], link[5], at;
	struct loaded *sorted;
	size_t n = 0;

	if (!l->n || !l->object[0].is_main || !(at = debug_address(t, &l->object[0]))) return;
	if (mem_read_some(t->mem, at, debug, sizeof debug) < sizeof debug) return;
	sorted = xcalloc(l->n, sizeof *sorted);
	at = debug[1];
	for (unsigned steps = 0; at && steps < LINK_MAX && mem_read_some(t->mem, at, link, sizeof link) == sizeof link; steps++, at = link[3]) {
		struct loaded *o = with_dynamic(l, link[2]);
		if (!o || o->in_scope) continue;
		o->in_scope = 1;
		sorted[n++] = *o;
	}
	l->ordered = n > 0;
	for (size_t i = 0; i < l->n; i++)
		if (!l->object[i].in_scope) sorted[n++] = l->object[i];
	memcpy(l->object, sorted, l->n * sizeof *sorted);
	free(sorted);
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------------- */

void loaded_read(struct loadeds *l, const struct target *t)
{
	*l = (struct loadeds){ 0 };
	for (size_t i = 0; i < t->maps.n; i++) {
		const struct map *m = &t->maps.map[i];
		struct loaded o = { .path = m->path };
		o.is_vdso = !strcmp(m->path, "[vdso]");
		if ((!m->inode && !o.is_vdso) || m->offset || !m->read || read_headers(&o, t, m) || !is_loaded(&o, t, m)) continue;
		take_dynamic(&o);
		o.is_main = t->at_entry >= o.start && t->at_entry < o.end;
		if (!(l->n & (l->n - 1))) l->object = xreallocarray(l->object, l->n ? 2 * l->n : 1, sizeof *l->object);
		l->object[l->n++] = o;
		if (o.is_main && l->n > 1) {
			memmove(&l->object[1], &l->object[0], (l->n - 1) * sizeof *l->object);
			l->object[0] = o;
		}
	}
	order(l, t);
}

void loaded_free(struct loadeds *l)
{
	free(l->object);
	*l = (struct loadeds){ 0 };
}

const struct loaded *loaded_find(const struct loadeds *l, uint64_t addr)
{
	for (size_t i = 0; i < l->n; i++)
		if (addr >= l->object[i].start && addr < l->object[i].end) return &l->object[i];
	return NULL;
}

int loaded_executable(const struct loaded *o, uint64_t addr)
{
	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		if (p->p_type == PT_LOAD && p->p_flags & PF_X && addr - o->bias - p->p_vaddr < p->p_memsz) return 1;
	}
	return 0;
}
