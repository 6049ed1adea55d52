/* tcmalloc_lock.c: the lock of the page heap. Since 2.11 it is in the page heap; before it is a variable of its own, which the library exports
 * (src/static_vars.h, Static::pageheap_lock_; Debian's 2.10 as well). The table of symbols is read from the library's file. */
#include "inspect/allocator/tcmalloc.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/image.h"
#include "inspect/allocator/window.h"
#include "inspect/target/xalloc.h"

enum { DYNAMIC_MAX = 128, SYMBOLS_MAX = 1 << 16, NAMES_MAX = 8 << 20 };
static const char name[] = "_ZN8tcmalloc6Static14pageheap_lock_E";

struct table { uint64_t bias, dynamic, symbols, names, names_size; };

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
	if ((table.dynamic = image_segment(&i, PT_DYNAMIC, &table.bias))) {
		read_dynamic(w, m, &table);
		at = search(&i, &table);
	}
	image_close(&i);
	/* in the library's data, and what a spin lock may be */
	char word[4];
	return at >= r->start && at < r->end && at % 4 == 0 && !window_read(w, at, word, sizeof word) && window_half(word, 0) <= 2 ? at : 0;
}
