/* image.c: code and constants from the file that is mapped. See image.h. */
#include "inspect/allocator/image.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/mem.h"
#include "inspect/target/target.h"

enum { HEADERS_MAX = 64 };

void image_open(struct image *i, const struct target *t, const struct map *m)
{
	*i = (struct image){ t, m, m->write ? -1 : target_file(t, m) };
}

void image_close(struct image *i)
{
	if (i->fd >= 0) close(i->fd);
	i->fd = -1;
}

size_t image_read(const struct image *i, uint64_t addr, void *buf, size_t n)
{
	const struct map *m = i->map;
	size_t got = 0;

	if (addr < m->start || addr >= m->end) return 0;
	if (n > m->end - addr) n = (size_t)(m->end - addr);
	while (i->fd >= 0 && got < n) {
		ssize_t r = pread(i->fd, (char *)buf + got, n - got, (off_t)(m->offset + (addr - m->start) + got));
		if (r <= 0) break;
		got += (size_t)r;
	}
	return got ? got : mem_read_some(i->t->mem, addr, buf, n);
}

uint64_t image_segment(const struct image *i, uint32_t type, uint64_t *bias)
{
	const struct map *m = i->map;
	Elf64_Ehdr h;
	Elf64_Phdr p[HEADERS_MAX];
	uint64_t first = UINT64_MAX, addr = 0;

	if (image_read(i, m->start, &h, sizeof h) < sizeof h || memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_phentsize != sizeof *p || h.e_phnum > HEADERS_MAX) return 0;
	if (h.e_phoff > m->end - m->start || image_read(i, m->start + h.e_phoff, p, h.e_phnum * sizeof *p) < h.e_phnum * sizeof *p) return 0;
	for (unsigned k = 0; k < h.e_phnum; k++) {
		if (p[k].p_type == PT_LOAD && first == UINT64_MAX) first = p[k].p_vaddr & ~UINT64_C(4095);
		if (p[k].p_type == type) addr = p[k].p_vaddr;
	}
	*bias = m->start - first;
	return addr && first != UINT64_MAX ? *bias + addr : 0;
}
