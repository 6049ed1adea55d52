/* unwind_symbols: agent/symbols.c against dlsym, for every name that the loaded libraries define. */
/* LINK: agent/symbols.c */
/* LDLIBS: -ldl -lm */
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "agent/symbols.h"

struct count { unsigned long asked, equal, indirect, missing; };

/* Every defined name of one library: its symbol table ends where its strings begin. */
static void compare(const struct link_map *l, struct count *c)
{
	const ElfW(Sym) *s = NULL;
	const char *strings = NULL;
	const uint16_t *version = NULL;
	for (const ElfW(Dyn) *d = l->l_ld; d->d_tag != DT_NULL; d++) {
		if (d->d_tag == DT_SYMTAB) s = (const void *)d->d_un.d_ptr;
		if (d->d_tag == DT_VERSYM) version = (const void *)d->d_un.d_ptr;
		if (d->d_tag == DT_STRTAB) strings = (const void *)d->d_un.d_ptr;
	}
	for (const ElfW(Sym) *first = s; s && (const char *)(s + 1) <= strings; s++) {
		if (version && version[s - first] & 0x8000) continue;   /* an old version: the default one is what is asked for */
		const char *name = strings + s->st_name;
		unsigned type = ELF64_ST_TYPE(s->st_info);
		if (s->st_shndx == SHN_UNDEF || !s->st_value || (type != STT_FUNC && type != STT_GNU_IFUNC)) continue;
		void *want = dlsym(RTLD_NEXT, name), *got = symbols_find_next(name);
		if (!want) continue;
		c->asked++;
		if (got == want) c->equal++;
		else if (!got && type == STT_GNU_IFUNC) c->indirect++;
		else if (!got) c->missing++, printf("# %s: not found, dlsym says %p\n", name, want);
		else printf("# %s: %p, dlsym says %p\n", name, got, want);
	}
}

int main(void)
{
	struct count c = { 0, 0, 0, 0 };
	struct link_map *l;
	printf("1..4\n");
	volatile double keep = sin(1);
	dlinfo(dlopen(NULL, RTLD_NOW), RTLD_DI_LINKMAP, &l);
	for (l = l->l_next; l; l = l->l_next)
		if (strstr(l->l_name, "libc.so") || strstr(l->l_name, "libm.so")) compare(l, &c);
	printf("%s 1 - as dlsym(RTLD_NEXT): %lu of %lu equal, %lu indirect ones left out, %lu not found\n",
		c.equal + c.indirect == c.asked && c.equal > 2000 && keep != 0 ? "ok" : "not ok", c.equal, c.asked, c.indirect, c.missing);
	printf("%s 2 - our own definition is passed over\n", !symbols_find_next("symbols_find_next") && !symbols_find_next("main") ? "ok" : "not ok");
	printf("%s 3 - what does not exist is not found\n", !symbols_find_next("no_such_function_at_all") && !symbols_find_anywhere("") ? "ok" : "not ok");
	void *lib = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL), *want = lib ? dlsym(lib, "unw_backtrace") : NULL;
	printf("%s 4 - anywhere: a library opened later\n", want && symbols_find_anywhere("unw_backtrace") == want ? "ok" : "not ok");
	return 0;
}
