/* compare_library.c: see compare_library.h. The loader's cache is searched as what it mostly is, paths with a zero behind each: its formats
 * differ, that does not. */
#include "cmd/compare_library.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/preflight.h"
#include "inspect/target/xalloc.h"

enum { CACHE_MAX = 16 << 20 };

static const struct library { const char *allocator, *soname[5]; } libraries[] = {
	{ "glibc", { "libc.so.6" } },
	{ "jemalloc", { "libjemalloc.so.2", "libjemalloc.so.1", "libjemalloc.so" } },
	/* the minimal one is the same allocator, without the profilers */
	{ "tcmalloc", { "libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so", "libtcmalloc.so" } },
	{ "mimalloc", { "libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so.1", "libmimalloc.so" } },
	{ NULL, { NULL } },
};

/* What an ELF file is, as far as preloading is concerned. */
struct shape { int elf, bits64, dynamic, musl, glibc; GElf_Half machine; };

static void needs(Elf *elf, struct shape *s)
{
	GElf_Shdr sh;
	GElf_Dyn dyn;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		Elf_Data *data;
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNAMIC || !(data = elf_getdata(scn, NULL))) continue;
		for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
			const char *name = dyn.d_tag == DT_NEEDED ? elf_strptr(elf, sh.sh_link, dyn.d_un.d_val) : NULL;
			if (name && !strcmp(name, "libc.so.6")) s->glibc = 1;
			if (name && (!strcmp(name, "libc.so") || !strncmp(name, "libc.musl-", 10))) s->musl = 1;
		}
	}
}

static void interpreter(Elf *elf, int fd, struct shape *s)
{
	GElf_Phdr ph;
	size_t n = 0;
	char path[256];

	if (elf_getphdrnum(elf, &n)) return;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_INTERP) continue;
		ssize_t got = pread(fd, path, sizeof path - 1, (off_t)ph.p_offset);
		path[got > 0 ? got : 0] = 0;
		s->dynamic = 1;
		if (strstr(path, "ld-musl-")) s->musl = 1;
		else if (strstr(path, "ld-linux")) s->glibc = 1;
	}
}

static struct shape shape_of(const char *path)
{
	struct shape s = { 0 };
	GElf_Ehdr eh;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	elf_version(EV_CURRENT);
	Elf *elf = fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &eh)) {
		s.elf = 1;
		s.bits64 = eh.e_ident[EI_CLASS] == ELFCLASS64;
		s.machine = eh.e_machine;
		needs(elf, &s);
		interpreter(elf, fd, &s);
	}
	if (elf) elf_end(elf);
	if (fd >= 0) close(fd);
	return s;
}

static int loadable(const char *path)
{
	struct shape self = shape_of("/proc/self/exe"), s = shape_of(path);

	return s.elf && s.bits64 && (!self.elf || s.machine == self.machine);
}

/* The first path in the cache that ends so and can be loaded. */
static char *in_cache(const char *soname)
{
	FILE *f = fopen("/etc/ld.so.cache", "re");
	char *text = f ? xmalloc(CACHE_MAX) : NULL, *found = NULL, *tail = xasprintf("/%s", soname);
	size_t n = f ? fread(text, 1, CACHE_MAX, f) : 0, len = strlen(tail) + 1;

	for (char *at = text; at && !found && (at = memmem(at, (size_t)(text + n - at), tail, len)); at++) {
		char *begin = at;
		while (begin > text && begin[-1]) begin--;
		if (*begin == '/' && loadable(begin)) found = xstrdup(begin);
	}
	free(tail);
	free(text);
	if (f) fclose(f);
	return found;
}

/* In one directory of a list with colons between them. */
static char *in_list(const char *list, const char *soname)
{
	for (const char *s = list; s && *s; s += *s == ':') {
		size_t n = strcspn(s, ":");
		char *path = xasprintf("%.*s/%s", (int)n, s, soname);
		if (n && loadable(path)) return path;
		free(path);
		s += n;
	}
	return NULL;
}

char *library_find_soname(const char *soname)
{
	char *found = in_list(getenv("LD_LIBRARY_PATH"), soname);

	if (!found) found = in_cache(soname);
	return found ? found : in_list("/usr/local/lib:/lib64:/usr/lib64:/lib:/usr/lib", soname);
}

char *library_find(const char *allocator)
{
	char *found = NULL;

	for (const struct library *l = libraries; l->allocator; l++)
		for (size_t i = 0; !strcmp(l->allocator, allocator) && !found && l->soname[i]; i++) found = library_find_soname(l->soname[i]);
	return found;
}

int library_is_allocator(const char *path)
{
	static const char *const begin[] = { "libjemalloc", "libtcmalloc", "libmimalloc" };
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
		if (!strncmp(base, begin[i], strlen(begin[i]))) return 1;
	return 0;
}

int library_fits(const char *library, const char *program, char *why, size_t n)
{
	struct shape l = shape_of(library), p = shape_of(program);
	char words[160];

	if (preflight(program, words, sizeof words) == PREFLIGHT_NOTHING) {
		snprintf(why, n, "%s", words);
		return -1;
	}
	if (strpbrk(library, " :\t\n")) {
		snprintf(why, n, "a blank or a colon is in its path, which the loader takes for its end");
		return -1;
	}
	if (!l.elf || !l.bits64 || (p.elf && p.machine != l.machine)) {
		snprintf(why, n, "%s is no library for this processor", library);
		return -1;
	}
	if (p.elf && p.dynamic && p.musl && l.glibc) {
		snprintf(why, n, "the program runs on musl, and the library is made for glibc (--preload FILE takes one made for musl)");
		return -1;
	}
	if (p.elf && p.dynamic && p.glibc && l.musl) {
		snprintf(why, n, "the program runs on glibc, and the library is made for musl");
		return -1;
	}
	return 0;
}
