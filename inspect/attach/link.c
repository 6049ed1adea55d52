/* link.c: see link.h. The image has relative relocations only: it refers to nothing but itself. */
#include "inspect/attach/link.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096, SIZE_MAX_IMAGE = 64 << 20 };

static uint64_t page_up(uint64_t v) { return (v + PAGE - 1) & -(uint64_t)PAGE; }

static int take_segments(struct link *k, Elf *elf)
{
	size_t n = 0;
	GElf_Phdr p;

	if (elf_getphdrnum(elf, &n)) return -1;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &p)) return -1;
		if (p.p_type == PT_TLS || p.p_type == PT_INTERP) return -1;
		if (p.p_type == PT_GNU_EH_FRAME) k->hdr = p.p_vaddr, k->hdr_end = p.p_vaddr + p.p_memsz;
		if (p.p_type != PT_LOAD) continue;
		if (k->nsegments == LINK_SEGMENTS || p.p_memsz > SIZE_MAX_IMAGE || p.p_vaddr > SIZE_MAX_IMAGE) return -1;
		uint64_t start = p.p_vaddr & -(uint64_t)PAGE, end = page_up(p.p_vaddr + p.p_memsz);
		if (k->nsegments && start < k->segment[k->nsegments - 1].end) return -1;
		k->segment[k->nsegments++] = (struct link_segment){ start, end,
			(p.p_flags & PF_R ? PROT_READ : 0) | (p.p_flags & PF_W ? PROT_WRITE : 0) | (p.p_flags & PF_X ? PROT_EXEC : 0) };
		k->size = end;
	}
	return k->nsegments ? 0 : -1;
}

static int take_bytes(struct link *k, Elf *elf)
{
	size_t n = 0, have;
	const char *file = elf_rawfile(elf, &have);
	GElf_Phdr p;

	k->bytes = xcalloc(1, k->size);
	if (!file || elf_getphdrnum(elf, &n)) return -1;
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD) continue;
		if (p.p_filesz > p.p_memsz || p.p_offset > have || p.p_filesz > have - p.p_offset) return -1;
		memcpy(k->bytes + p.p_vaddr, file + p.p_offset, p.p_filesz);
		if (p.p_vaddr + p.p_filesz > k->stored) k->stored = p.p_vaddr + p.p_filesz;
	}
	return 0;
}

static int take_relocations(struct link *k, Elf_Data *d, size_t n)
{
	GElf_Rela r;

	for (size_t i = 0; i < n; i++) {
		if (!gelf_getrela(d, (int)i, &r)) return -1;
		if (GELF_R_TYPE(r.r_info) == R_X86_64_NONE) continue;
		if (GELF_R_TYPE(r.r_info) != R_X86_64_RELATIVE || r.r_offset > k->size - 8 || k->nrelocations == LINK_RELOCATIONS) return -1;
		uint64_t v = (uint64_t)r.r_addend;
		memcpy(k->bytes + r.r_offset, &v, sizeof v);
		k->relocation[k->nrelocations++] = r.r_offset;
	}
	return 0;
}

static int find_block(struct link *k, Elf *elf, Elf_Data *d, size_t n, size_t strings)
{
	GElf_Sym s;

	for (size_t i = 0; i < n; i++) {
		const char *name = gelf_getsym(d, (int)i, &s) ? elf_strptr(elf, strings, s.st_name) : NULL;
		if (!name || strcmp(name, ATTACH_SYMBOL) || s.st_value > k->size - sizeof(struct attach_block)) continue;
		k->block = s.st_value;
		return 0;
	}
	return -1;
}

static int take_sections(struct link *k, Elf *elf)
{
	GElf_Shdr sh;
	int found = -1;

	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		if (!gelf_getshdr(scn, &sh) || !(sh.sh_flags & SHF_ALLOC)) continue;
		Elf_Data *d = elf_getdata(scn, NULL);
		size_t n = sh.sh_entsize ? sh.sh_size / sh.sh_entsize : 0;
		if (sh.sh_type == SHT_RELA && (!d || take_relocations(k, d, n))) return -1;
		if (sh.sh_type == SHT_REL || sh.sh_type == SHT_RELR) return -1;
		if (sh.sh_type == SHT_DYNSYM && d) found = find_block(k, elf, d, n, sh.sh_link);
	}
	return found;
}

int link_open(struct link *k, const char *path, struct err *e)
{
	*k = (struct link){ 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return err_sys(e, errno, "opening the agent's image %s", path);
	elf_version(EV_CURRENT);
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	int bad = !elf || elf_kind(elf) != ELF_K_ELF || take_segments(k, elf) || take_bytes(k, elf) || take_sections(k, elf);
	if (elf) elf_end(elf);
	close(fd);
	const struct attach_block *b = bad ? NULL : link_block(k);
	if (!bad && !memcmp(b->magic, ATTACH_MAGIC, sizeof b->magic) && b->version == ATTACH_VERSION && b->size == sizeof *b) return 0;
	link_close(k);
	return err_set(e, ERR_UNSUPPORTED, "%s is not an image that this alloctop can attach: use the one that came with it", path);
}

void link_move(struct link *k, uint64_t base)
{
	for (unsigned i = 0; i < k->nrelocations; i++) {
		uint64_t v;
		memcpy(&v, k->bytes + k->relocation[i], sizeof v);
		v += base - k->base;
		memcpy(k->bytes + k->relocation[i], &v, sizeof v);
	}
	k->base = base;
}

struct attach_block *link_block(const struct link *k)
{
	return (struct attach_block *)(void *)(k->bytes + k->block);
}

struct attach_module link_module(const struct link *k)
{
	struct attach_module m = { .start = k->base, .end = k->base + k->size, .bias = k->base, .hdr = k->base + k->hdr, .hdr_end = k->base + k->hdr_end,
	                           .text_readable = 1, .path = "alloctop-attach.so" };

	for (unsigned i = 0; i < k->nsegments; i++)
		if (k->segment[i].prot & PROT_EXEC) {
			m.text = k->base + k->segment[i].start;
			m.text_end = k->base + k->segment[i].end;
			m.text_offset = k->segment[i].start;
		}
	return m;
}

void link_close(struct link *k)
{
	free(k->bytes);
	k->bytes = NULL;
}
