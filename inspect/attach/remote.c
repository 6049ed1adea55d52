/* remote.c: where there is room, and what belongs there. See remote.h. */
#include "inspect/attach/remote.h"

#include <string.h>
#include <unistd.h>

#include "inspect/attach/loaded.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"

enum { PAGE = 4096, ALIGN = 16 };

/* Behind the last byte of an executable segment, up to the end of its page. The page must be mapped as that segment's: where the next one
   begins in the same page of the address space, that one's has replaced it. */
static size_t behind(const struct target *t, const struct loaded *o, const Elf64_Phdr *p, uint64_t *room, size_t max)
{
	uint64_t end = o->bias + p->p_vaddr + p->p_memsz, at = (end + ALIGN - 1) & -(uint64_t)ALIGN, stop = (end + PAGE - 1) & -(uint64_t)PAGE;
	size_t size = (remote_size() + ALIGN - 1) & -(size_t)ALIGN, n = 0;

	if (p->p_memsz != p->p_filesz || at + size > stop) return 0;
	for (unsigned i = 0; i < o->nphdr; i++) {
		const Elf64_Phdr *q = &o->phdr[i];
		if (q != p && q->p_type == PT_LOAD && o->bias + q->p_vaddr < stop && o->bias + q->p_vaddr + q->p_memsz > at) return 0;
	}
	const struct map *m = maps_find(&t->maps, at);
	if (!m || !m->exec || m->shared || m->end < stop || m->start > o->bias + p->p_vaddr) return 0;
	for (; n < max && at + size <= stop; at += size) room[n++] = at;
	return n;
}

/* Libraries first: the vDSO is the kernel's, and the program's own pages are the ones that somebody might look at. */
size_t remote_rooms(const struct target *t, const struct loadeds *l, uint64_t *room, size_t max)
{
	size_t n = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = l->n; i--;) {
			const struct loaded *o = &l->object[i];
			if (o->is_vdso != pass) continue;
			for (unsigned k = 0; k < o->nphdr; k++)
				if (o->phdr[k].p_type == PT_LOAD && o->phdr[k].p_flags & PF_X) n += behind(t, o, &o->phdr[k], room + n, max - n);
		}
	return n;
}

void remote_original(const struct target *t, uint64_t addr, uint8_t *buf, size_t n)
{
	const struct map *m = maps_find(&t->maps, addr);
	int fd = m ? target_file(t, m) : -1;

	memset(buf, 0, n);
	if (fd < 0) return;
	if (pread(fd, buf, n, (off_t)(m->offset + (addr - m->start))) < 0) memset(buf, 0, n);
	close(fd);
}
