/* tcmalloc_lock.c: the lock of the page heap. Since 2.11 it is in the page heap; before it is a variable of its own, which the library exports
 * (src/static_vars.h, Static::pageheap_lock_; Debian's 2.10 as well). The table of symbols is read from the library's file. */
#include "inspect/allocator/tcmalloc.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/image.h"
#include "inspect/allocator/window.h"
#include "inspect/target/xalloc.h"

enum { HEADERS_MAX = 64, DYNAMIC_MAX = 128, SYMBOLS_MAX = 1 << 16, NAMES_MAX = 8 << 20 };
static const char name[] = "_ZN8tcmalloc6Static14pageheap_lock_E";

struct table { uint64_t bias, dynamic, symbols, names, names_size; };

static int read_headers(const struct image *i, struct table *t)
{
	Elf64_Ehdr h;
	Elf64_Phdr p[HEADERS_MAX];
	uint64_t first = UINT64_MAX, dynamic = 0;

	if (image_read(i, i->map->start, &h, sizeof h) < sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_phentsize != sizeof *p || h.e_phnum > HEADERS_MAX) return -1;
	if (h.e_phoff > i->map->end - i->map->start || image_read(i, i->map->start + h.e_phoff, p, h.e_phnum * sizeof *p) < h.e_phnum * sizeof *p) return -1;
	for (unsigned k = 0; k < h.e_phnum; k++) {
		if (p[k].p_type == PT_LOAD && first == UINT64_MAX) first = p[k].p_vaddr & ~UINT64_C(4095);
		if (p[k].p_type == PT_DYNAMIC) dynamic = p[k].p_vaddr;
	}
	t->bias = i->map->start - first;
	t->dynamic = t->bias + dynamic;
	return dynamic && first != UINT64_MAX ? 0 : -1;
}

/* glibc writes addresses into it, musl leaves the file's. */
static void read_dynamic(struct window *w, const struct map *m, struct table *t)
{
	for (unsigned k = 0; k < DYNAMIC_MAX; k++) {
		uint64_t tag = window_u64(w, t->dynamic + k * 16), v = window_u64(w, t->dynamic + k * 16 + 8);
		if (tag == DT_NULL) return;
		if (tag == DT_SYMTAB) t->symbols = v < m->start ? t->bias + v : v;
		if (tag == DT_STRTAB) t->names = v < m->start ? t->bias + v : v;
		if (tag == DT_STRSZ) t->names_size = v;
	}
}

/* Linkers put the names right behind the symbols: that is where these end. */
static uint64_t search(const struct image *i, const struct table *t)
{
	uint64_t n = (t->names - t->symbols) / sizeof(Elf64_Sym), at = 0;

	if (t->names <= t->symbols || n > SYMBOLS_MAX || t->names_size > NAMES_MAX || t->symbols < i->map->start || t->names >= i->map->end) return 0;
	Elf64_Sym *s = xcalloc(n + 1, sizeof *s);
	char *names = xcalloc(t->names_size + 1, 1);
	n = image_read(i, t->symbols, s, n * sizeof *s) / sizeof *s;
	image_read(i, t->names, names, t->names_size);
	for (uint64_t k = 0; k < n && !at; k++)
		if (s[k].st_name < t->names_size && s[k].st_shndx != SHN_UNDEF && !strcmp(names + s[k].st_name, name)) at = t->bias + s[k].st_value;
	free(names);
	free(s);
	return at;
}

uint64_t tcmalloc_exported_lock(const struct target *t, struct window *w, const struct target_region *r)
{
	const struct map *m = t->maps.map, *end = m + t->maps.n;
	struct table table = { 0 };
	struct image i;
	uint64_t at = 0;

	while (m < end && (m->offset || !m->inode || strcmp(m->path, r->path))) m++;
	if (m == end) return 0;
	image_open(&i, t, m);
	if (!read_headers(&i, &table)) {
		read_dynamic(w, m, &table);
		at = search(&i, &table);
	}
	image_close(&i);
	/* in the library's data, and what a spin lock may be */
	char word[4];
	return at >= r->start && at < r->end && at % 4 == 0 && !window_read(w, at, word, sizeof word) && window_half(word, 0) <= 2 ? at : 0;
}
