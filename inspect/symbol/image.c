/* image.c: from memory to an ELF file. See image.h. Every number in it is the target's word: bounded before use. */
#include "inspect/symbol/image.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/symbol/symbol.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { PHDRS_MAX = 64, NOTES_MAX = 16 << 10, DYN_MAX = 512 };
static const uint64_t image_max = 64 << 20, vdso_max = 1 << 20;

struct head { Elf64_Ehdr e; Elf64_Phdr p[PHDRS_MAX]; unsigned n; uint64_t bias; };

static int read_head(struct mem *mem, uint64_t start, struct head *h)
{
	Elf64_Ehdr *e = &h->e;
	if (mem_read_some(mem, start, e, sizeof *e) != sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG)) return -1;
	if (e->e_ident[EI_CLASS] != ELFCLASS64 || (e->e_type != ET_EXEC && e->e_type != ET_DYN)) return -1;
	if (e->e_phentsize != sizeof *h->p || !e->e_phnum || e->e_phnum > PHDRS_MAX || e->e_phoff > image_max) return -1;
	size_t bytes = e->e_phnum * sizeof *h->p;
	if (mem_read_some(mem, start + e->e_phoff, h->p, bytes) != bytes) return -1;
	h->n = e->e_phnum;
	for (unsigned i = 0; i < h->n; i++)
		if (h->p[i].p_type == PT_LOAD) {
			h->bias = start - (h->p[i].p_vaddr - h->p[i].p_offset);
			return 0;
		}
	return -1;
}

/* Notes are padded to 4, or to 8 bytes when their segment says so. */
static int find_build_id(const uint8_t *b, size_t n, size_t align, struct symbol_module *m)
{
	if (align != 8) align = 4;
	for (size_t at = 0; n - at >= sizeof(Elf64_Nhdr);) {
		Elf64_Nhdr h;
		memcpy(&h, b + at, sizeof h);
		size_t left = n - at - sizeof h;
		if (h.n_namesz > left || h.n_descsz > left) return -1;
		size_t name = at + sizeof h;
		size_t desc = at + ((sizeof h + h.n_namesz + align - 1) & ~(align - 1));
		if (desc > n || h.n_descsz > n - desc) return -1;
		if (h.n_type == NT_GNU_BUILD_ID && h.n_namesz == 4 && !memcmp(b + name, "GNU", 4) && h.n_descsz &&
		    h.n_descsz <= sizeof m->build_id) {
			memcpy(m->build_id, b + desc, h.n_descsz);
			m->build_id_size = h.n_descsz;
			return 0;
		}
		at = (desc + h.n_descsz + align - 1) & ~(align - 1);
		if (at > n) return -1;
	}
	return -1;
}

int image_head(struct mem *mem, struct symbol_module *m)
{
	struct head h;
	if (read_head(mem, m->start, &h)) return -1;
	m->bias = h.bias;
	m->build_id_size = 0;
	uint8_t *notes = xmalloc(NOTES_MAX);
	for (unsigned i = 0; i < h.n && !m->build_id_size; i++) {
		if (h.p[i].p_type != PT_NOTE) continue;
		size_t n = h.p[i].p_filesz < NOTES_MAX ? h.p[i].p_filesz : NOTES_MAX;
		n = mem_read_some(mem, h.bias + h.p[i].p_vaddr, notes, n);
		find_build_id(notes, n, h.p[i].p_align, m);
	}
	free(notes);
	return 0;
}

/* The loader of glibc turns the addresses in the dynamic section into absolute ones, in place: turn them back. */
static void unrelocate(char *image, uint64_t size, const struct head *h)
{
	static const int64_t addresses[] = {DT_HASH, DT_GNU_HASH, DT_STRTAB, DT_SYMTAB, DT_VERSYM, DT_VERDEF, DT_VERNEED};
	const Elf64_Phdr *p = NULL;
	uint64_t high = 0;
	for (unsigned i = 0; i < h->n; i++) {
		if (h->p[i].p_type == PT_DYNAMIC) p = &h->p[i];
		if (h->p[i].p_type == PT_LOAD && h->p[i].p_vaddr + h->p[i].p_memsz > high) high = h->p[i].p_vaddr + h->p[i].p_memsz;
	}
	if (!p || !h->bias || p->p_offset > size) return;
	for (unsigned i = 0; i < DYN_MAX && (i + 1) * sizeof(Elf64_Dyn) <= size - p->p_offset; i++) {
		Elf64_Dyn d;
		char *at = image + p->p_offset + i * sizeof d;
		memcpy(&d, at, sizeof d);
		if (d.d_tag == DT_NULL) return;
		for (size_t k = 0; k < sizeof addresses / sizeof *addresses; k++)
			if (d.d_tag == addresses[k] && d.d_un.d_ptr >= h->bias && d.d_un.d_ptr - h->bias < high) d.d_un.d_ptr -= h->bias;
		memcpy(at, &d, sizeof d);
	}
}

static int to_memfd(const char *image, size_t size)
{
	int fd = memfd_create("alloctop-image", MFD_CLOEXEC);
	if (fd >= 0) fchmod(fd, 0600);          /* ours alone: vet.c need not copy it again */
	for (size_t done = 0; fd >= 0 && done < size;) {
		ssize_t r = write(fd, image + done, size - done);
		if (r <= 0) { close(fd); fd = -1; }
		else done += (size_t)r;
	}
	return fd;
}

int image_fd(struct mem *mem, const struct symbol_module *m)
{
	struct head h;
	uint64_t size = 0;
	if (read_head(mem, m->start, &h)) return -1;
	int whole = !strcmp(m->path, "[vdso]") && m->end - m->start <= vdso_max;
	if (whole) size = m->end - m->start;
	for (unsigned i = 0; i < h.n && !whole; i++) {
		Elf64_Phdr *p = &h.p[i];
		if (p->p_type != PT_LOAD || p->p_offset >= image_max) continue;
		if (p->p_filesz > image_max - p->p_offset) p->p_filesz = image_max - p->p_offset;
		if (p->p_offset + p->p_filesz > size) size = p->p_offset + p->p_filesz;
	}
	if (size < sizeof h.e) return -1;

	char *image = xcalloc(1, size);
	if (whole) {
		mem_read_some(mem, m->start, image, size);
	} else {
		for (unsigned i = 0; i < h.n; i++)
			if (h.p[i].p_type == PT_LOAD && h.p[i].p_offset < size)
				mem_read_some(mem, h.bias + h.p[i].p_vaddr, image + h.p[i].p_offset, h.p[i].p_filesz);
		/* the section table is not loaded: say that there is none */
		Elf64_Ehdr *e = (Elf64_Ehdr *)image;
		e->e_shoff = e->e_shnum = e->e_shstrndx = 0;
		unrelocate(image, size, &h);
	}
	int fd = to_memfd(image, size);
	free(image);
	return fd;
}
