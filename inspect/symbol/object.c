/* object.c: libdwfl over files that find.c chose. See object.h. libdwfl knows how a file, its separate debug file and the symbols
 * in .gnu_debugdata belong together; it is never let loose to look for files itself. */
#include "inspect/symbol/object.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>

#include "inspect/symbol/find.h"
#include "inspect/symbol/lines.h"
#include "inspect/symbol/names.h"
#include "inspect/symbol/symbol.h"
#include "inspect/symbol/symtab.h"
#include "inspect/target/xalloc.h"

struct object {
	const struct find *find;
	struct vetted file, debug, supplement;
	Dwfl *dwfl;
	Dwfl_Module *mod;
	uint64_t bias;                  /* what libdwfl adds to the file's addresses */
	uint64_t dwarf_bias;            /* what it adds to those of the debug file */
	int opened_dwarf;
	struct lines *lines;            /* NULL: none */
	struct symtab *symtab;          /* NULL: not read yet */
	Elf *supplement_elf;
	Dwarf *supplement_dwarf;
};

/* libdwfl owns the descriptor it gets. */
static int give_debug(Dwfl_Module *mod, void **user, const char *name, Dwarf_Addr base, const char *file, const char *link,
                      GElf_Word crc, char **path)
{
	struct object *o = *user;
	(void)mod, (void)name, (void)base, (void)file, (void)link, (void)crc, (void)path;
	return o && o->debug.fd >= 0 ? fcntl(o->debug.fd, F_DUPFD_CLOEXEC, 0) : -1;
}

static int give_none(Dwfl_Module *mod, void **user, const char *name, Dwarf_Addr base, char **path, Elf **elf)
{
	(void)mod, (void)user, (void)name, (void)base, (void)path, (void)elf;
	return -1;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = give_none,
	.find_debuginfo = give_debug,
	.section_address = dwfl_offline_section_address,
};

struct object *object_open(const struct find *f, const struct symbol_module *m)
{
	struct object *o = xcalloc(1, sizeof *o);
	o->find = f;
	o->file.fd = o->debug.fd = o->supplement.fd = -1;
	if (find_file(f, m, &o->file)) goto bad;
	if (!o->file.has_dwarf) find_debug(f, &o->file, &o->debug);

	o->dwfl = dwfl_begin(&callbacks);
	int fd = fcntl(o->file.fd, F_DUPFD_CLOEXEC, 0);
	if (!o->dwfl || fd < 0) goto bad;
	dwfl_report_begin(o->dwfl);
	o->mod = dwfl_report_offline(o->dwfl, "module", "", fd);
	if (!o->mod) close(fd);
	dwfl_report_end(o->dwfl, NULL, NULL);
	void **user;
	GElf_Addr bias;
	if (!o->mod || !dwfl_module_info(o->mod, &user, NULL, NULL, NULL, NULL, NULL, NULL)) goto bad;
	*user = o;
	if (!dwfl_module_getelf(o->mod, &bias)) goto bad;
	o->bias = bias;
	return o;
bad:
	object_close(o);
	return NULL;
}

void object_close(struct object *o)
{
	if (!o) return;
	lines_close(o->lines);
	symtab_close(o->symtab);
	if (o->dwfl) dwfl_end(o->dwfl);
	if (o->supplement_dwarf) dwarf_end(o->supplement_dwarf);
	if (o->supplement_elf) elf_end(o->supplement_elf);
	vet_close(&o->file);
	vet_close(&o->debug);
	vet_close(&o->supplement);
	free(o);
}

uint64_t object_key(const struct object *o)
{
	/* the order matters, the constants only keep zero and equal parts apart */
	if (!o->file.identity || !o->file.build_id_size) return 0;
	return (o->file.identity * 0x9e3779b97f4a7c15 ^ (o->debug.fd >= 0 ? o->debug.identity : 1)) | 1;
}

int object_address(const struct object *o, uint64_t offset, uint64_t *vaddr)
{
	GElf_Addr bias;
	GElf_Phdr p;
	size_t n;
	Elf *elf = dwfl_module_getelf(o->mod, &bias);
	if (!elf || elf_getphdrnum(elf, &n)) return -1;
	for (size_t i = 0; i < n && gelf_getphdr(elf, (int)i, &p); i++) {
		if (p.p_type != PT_LOAD || offset - (p.p_offset & -p.p_align) >= p.p_filesz + (p.p_offset & (p.p_align - 1))) continue;
		*vaddr = p.p_vaddr - p.p_offset + offset;
		return 0;
	}
	return -1;
}

/* Debug information may refer to a shared supplementary file. libdw would open what the file names: give it the right one before
   it looks, or do without debug information. */
static int supply(struct object *o, Dwarf *dw)
{
	const char *name;
	const void *id;
	ssize_t n = dwelf_dwarf_gnu_debugaltlink(dw, &name, &id);
	if (n == 0) return 0;
	if (n < 0 || n > 40) return -1;
	const char *path = o->debug.fd >= 0 ? o->debug.path : o->file.path;
	if (find_supplement(o->find, path, name, id, (unsigned)n, &o->supplement)) return -1;
	o->supplement_elf = elf_begin(o->supplement.fd, ELF_C_READ_MMAP, NULL);
	o->supplement_dwarf = o->supplement_elf ? dwarf_begin_elf(o->supplement_elf, DWARF_C_READ, NULL) : NULL;
	if (!o->supplement_dwarf) return -1;
	dwarf_setalt(dw, o->supplement_dwarf);
	return 0;
}

static void open_dwarf(struct object *o)
{
	GElf_Addr bias;
	o->opened_dwarf = 1;
	Dwarf *dw = o->file.has_dwarf || o->debug.has_dwarf ? dwfl_module_getdwarf(o->mod, &bias) : NULL;
	if (!dw || supply(o, dw)) return;
	o->dwarf_bias = bias;
	o->lines = lines_open(dw);
}

static const struct symtab *symtab_of(struct object *o)
{
	if (!o->symtab) o->symtab = symtab_open(o->mod, o->bias);
	return o->symtab;
}

void object_each(struct object *o, void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg)
{
	symtab_each(symtab_of(o), fn, arg);
}

static const char *symbol_at(struct object *o, uint64_t vaddr, struct names *names)
{
	size_t n;
	const char *name = symtab_find(symtab_of(o), vaddr, &n);
	if (!name) return NULL;
	if (!name[n]) return names_keep(names, name);
	char *plain = strndup(name, n);
	const char *kept = names_keep(names, plain);
	free(plain);
	return kept;
}

size_t object_find(struct object *o, uint64_t vaddr, struct symbol_frame *f, size_t max, struct names *names)
{
	if (!max) return 0;
	if (!o->opened_dwarf) open_dwarf(o);
	size_t n = o->lines ? lines_find(o->lines, vaddr + o->bias - o->dwarf_bias, f, max, names) : 0;
	for (size_t i = 0; i < n; i++) {
		const char *linkage = f[i].linkage ? names_keep(names, f[i].linkage) : NULL;
		/* the outermost one has a symbol of its own, which may be the only place of a mangled name */
		if (!linkage && !f[i].inlined) {
			const char *s = symbol_at(o, vaddr, names);
			if (s && (!f[i].function || names_readable(names, s) != s)) linkage = s;
		}
		/* in C a linkage name is an alias the assembler was told (__GI___strdup): the source says it better */
		const char *plain = names_keep(names, f[i].function);
		f[i].linkage = linkage ? linkage : plain;
		f[i].function = names_readable(names, f[i].linkage);
		if (f[i].function == f[i].linkage && *plain) f[i].function = plain;
	}
	if (n) return n;
	const char *s = symbol_at(o, vaddr, names);
	if (!s) return 0;
	f[0] = (struct symbol_frame){.linkage = s, .function = names_readable(names, s), .file = names_keep(names, NULL)};
	return 1;
}
