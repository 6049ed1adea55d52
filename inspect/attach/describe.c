/* describe.c: see describe.h. */
#include "inspect/attach/describe.h"

#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/wire.h"
#include "inspect/attach/got.h"
#include "inspect/attach/loaded.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { NOTES_MAX = 16 << 10, START_STACK = 28, PATH_BYTES = WIRE_PATH + 3 };

static void take_build_id(struct attach_module *m, const struct target *t, const Elf64_Phdr *p)
{
	char notes[NOTES_MAX];
	size_t n = p->p_memsz < sizeof notes ? p->p_memsz : sizeof notes, pad = p->p_align == 8 ? 7 : 3;
	Elf64_Nhdr h;

	n = mem_read_some(t->mem, m->bias + p->p_vaddr, notes, n);
	for (size_t at = 0; at + sizeof h <= n;) {
		memcpy(&h, notes + at, sizeof h);
		size_t name = at + sizeof h, desc = name + ((h.n_namesz + pad) & ~pad), next = desc + ((h.n_descsz + pad) & ~pad);
		if (h.n_namesz > n || h.n_descsz > n || next > n + pad || desc + h.n_descsz > n) return;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && !memcmp(notes + name, "GNU", 4)) {
			m->build_id_size = h.n_descsz < sizeof m->build_id ? (uint8_t)h.n_descsz : sizeof m->build_id;
			memcpy(m->build_id, notes + desc, m->build_id_size);
			return;
		}
		at = next;
	}
}

/* .eh_frame of an object without its index stands in the section table alone, which is only in the file. */
static void take_frames(struct attach_module *m, const struct target *t, const struct loaded *o)
{
	const struct map *map = maps_find(&t->maps, o->start);
	int fd = map ? target_file(t, map) : -1;
	size_t strings = 0;
	GElf_Shdr sh;

	if (fd < 0) return;
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && !elf_getshdrstrndx(elf, &strings))
		for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
			const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strings, sh.sh_name) : NULL;
			if (!name || strcmp(name, ".eh_frame") || !(sh.sh_flags & SHF_ALLOC) || sh.sh_size > o->end - o->start) continue;
			uint64_t at = o->bias + sh.sh_addr;
			if (at < o->start || at > o->end - sh.sh_size) continue;
			m->frames = at;
			for (unsigned i = 0; i < o->nphdr; i++) {
				const Elf64_Phdr *p = &o->phdr[i];
				if (p->p_type == PT_LOAD && sh.sh_addr - p->p_vaddr < p->p_memsz) m->frames_end = o->bias + p->p_vaddr + p->p_memsz;
			}
			if (!m->frames_end) m->frames = 0;
		}
	if (elf) elf_end(elf);
	close(fd);
}

static void take_segments(struct attach_module *m, const struct target *t, const struct loaded *o)
{
	m->text = UINT64_MAX;
	m->text_readable = 1;
	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		uint64_t lo = o->bias + p->p_vaddr, hi = lo + p->p_memsz;
		if (p->p_type == PT_NOTE && !m->build_id_size) take_build_id(m, t, p);
		if (p->p_type == PT_TLS) m->tls = p->p_memsz + p->p_align;
		if (p->p_type == PT_GNU_EH_FRAME && lo >= o->start && hi <= o->end && lo < hi) m->hdr = lo, m->hdr_end = hi;
		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || lo >= hi) continue;
		if (lo < m->text) m->text = lo, m->text_offset = p->p_offset;
		if (hi > m->text_end) m->text_end = hi;
		if (!(p->p_flags & PF_R)) m->text_readable = 0;
	}
	if (m->text == UINT64_MAX) m->text = 0;
	if (!m->hdr && !o->is_vdso) take_frames(m, t, o);
}

static void take_path(struct attach_module *m, const struct target *t, const struct loaded *o)
{
	const char *path = o->is_main && t->proc.exe[0] ? t->proc.exe : o->path;
	size_t n = strlen(path);

	m->path_truncated = n > PATH_BYTES;
	if (n > PATH_BYTES) n = PATH_BYTES;
	memcpy(m->path, path, n);
}

struct attach_module *describe_modules(const struct target *t, const struct loadeds *l, size_t *n, uint32_t *lost)
{
	struct attach_module *m = xcalloc(l->n + 2, sizeof *m);

	*n = l->n < ATTACH_MODULES_MAX ? l->n : ATTACH_MODULES_MAX - 1;
	*lost = (uint32_t)(l->n - *n);
	for (size_t i = 0; i < *n; i++) {
		const struct loaded *o = &l->object[i];
		m[i] = (struct attach_module){ .start = o->start, .end = o->end, .bias = o->bias, .is_main = o->is_main };
		take_segments(&m[i], t, o);
		take_path(&m[i], t, o);
	}
	return m;
}

uint64_t describe_stack_top(const struct target *t)
{
	char path[64], line[1024], *p;
	uint64_t v = 0;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)t->pid);
	FILE *f = fopen(path, "re");
	if (!f) return 0;
	size_t n = fread(line, 1, sizeof line - 1, f);
	fclose(f);
	line[n] = 0;
	/* fields are counted from behind the name, which may hold anything */
	p = strrchr(line, ')');
	for (int field = 2; p && field < START_STACK; field++) p = strchr(p + 1, ' ');
	if (p) v = strtoull(p, NULL, 10);
	const struct map *m = maps_find(&t->maps, v);
	return m && m->write ? v : 0;
}

uint64_t describe_clock(const struct target *t, const struct loadeds *l)
{
	char path[64], ours[64] = "", theirs[64] = "";
	uint64_t at = 0;

	snprintf(path, sizeof path, "/proc/%d/ns/time", (int)t->pid);
	if (readlink("/proc/self/ns/time", ours, sizeof ours - 1) < 0 || readlink(path, theirs, sizeof theirs - 1) < 0 || strcmp(ours, theirs)) return 0;
	for (size_t i = 0; i < l->n && !at; i++)
		if (l->object[i].is_vdso) at = got_symbol(t, &l->object[i], "__vdso_clock_gettime");
	return at;
}
