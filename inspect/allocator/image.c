/* image.c: code and constants from the file that is mapped. See image.h. */
#include "inspect/allocator/image.h"

#include <unistd.h>

#include "inspect/target/mem.h"
#include "inspect/target/target.h"

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
