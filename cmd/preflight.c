/* preflight.c: see preflight.h. */
#include "cmd/preflight.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SCRIPTS_MAX = 4 };       /* as many interpreters in a row as the kernel follows */

/* When a program gains privileges the loader drops LD_PRELOAD. It gains none on a nosuid mount or under no_new_privs. */
static const char *gains(int fd)
{
	struct stat st;
	struct statvfs fs;

	if (fstat(fd, &st) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return NULL;
	if (!fstatvfs(fd, &fs) && fs.f_flag & ST_NOSUID) return NULL;
	if (st.st_mode & S_ISUID && st.st_uid != getuid()) return "it is set-user-ID";
	if (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getgid()) return "it is set-group-ID";
	if (getuid() && fgetxattr(fd, "security.capability", NULL, 0) > 0) return "it has file capabilities";
	return NULL;
}

/* The program's own malloc takes every call before what is preloaded. Returns non-zero when it exports one. */
static int exports_malloc(Elf *elf)
{
	GElf_Shdr sh;
	GElf_Sym sym;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		Elf_Data *data;
		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNSYM || !(data = elf_getdata(scn, NULL))) continue;
		for (int i = 0; gelf_getsym(data, i, &sym); i++) {
			const char *name = elf_strptr(elf, sh.sh_link, sym.st_name);
			if (name && sym.st_shndx != SHN_UNDEF && !strcmp(name, "malloc")) return 1;
		}
	}
	return 0;
}

static enum preflight_verdict look_elf(Elf *elf, char *why, unsigned n)
{
	GElf_Ehdr eh;
	GElf_Phdr ph;
	size_t phnum = 0;
	int interpreted = 0;

	if (!gelf_getehdr(elf, &eh) || elf_getphdrnum(elf, &phnum)) return PREFLIGHT_FINE;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64) {
		snprintf(why, n, "it is a 32-bit program, what is preloaded is 64-bit");
		return PREFLIGHT_NOTHING;
	}
	for (size_t i = 0; i < phnum; i++)
		if (gelf_getphdr(elf, (int)i, &ph) && ph.p_type == PT_INTERP) interpreted = 1;
	if (!interpreted) {
		snprintf(why, n, "it is statically linked, nothing can be preloaded into it");
		return PREFLIGHT_NOTHING;
	}
	if (exports_malloc(elf)) {
		snprintf(why, n, "it brings its own malloc, which comes before what is preloaded");
		return PREFLIGHT_DOUBTFUL;
	}
	return PREFLIGHT_FINE;
}

/* "#! /bin/sh -e": the interpreter. Returns non-zero when the file is a script. */
static int interpreter(int fd, char *path, size_t n)
{
	char line[256], *s = line + 2;
	ssize_t got = pread(fd, line, sizeof line - 1, 0);

	if (got < 3 || line[0] != '#' || line[1] != '!') return 0;
	line[got] = 0;
	s[strcspn(s, "\n")] = 0;
	s += strspn(s, " \t");
	s[strcspn(s, " \t")] = 0;
	snprintf(path, n, "%s", s);
	return *s != 0;
}

/* The file that the kernel executes in the end, open, or -1: executable but not readable, or gone: exec will tell. */
static int open_program(const char *path)
{
	char file[512];

	snprintf(file, sizeof file, "%s", path);
	for (int i = 0; i <= SCRIPTS_MAX; i++) {
		int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 || !interpreter(fd, file, sizeof file)) return fd;
		close(fd);
	}
	return -1;
}

enum preflight_verdict preflight(const char *path, char *why, unsigned n)
{
	enum preflight_verdict verdict = PREFLIGHT_FINE;
	int fd = open_program(path);

	if (fd < 0) return PREFLIGHT_FINE;
	const char *gain = gains(fd);
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF) verdict = look_elf(elf, why, n);
	if (elf) elf_end(elf);
	if (verdict != PREFLIGHT_NOTHING && gain) {
		snprintf(why, n, "%s, so the loader ignores what is preloaded", gain);
		verdict = PREFLIGHT_NOTHING;
	}
	close(fd);
	return verdict;
}

int preflight_gains(const char *path)
{
	int fd = open_program(path), does = fd >= 0 && gains(fd) != NULL;

	if (fd >= 0) close(fd);
	return does;
}
