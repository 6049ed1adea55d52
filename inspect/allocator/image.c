/* image.c: code and constants from the file that is mapped. See image.h. */
#include "inspect/allocator/image.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "inspect/symbol/root.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"

/* By its path, as the target sees it, if that is still the file that is mapped. Some file systems show another device number in maps than in
   stat: the inode must do. */
static int by_path(const struct target *t, const struct map *m)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof path, "/proc/%d/root", (int)t->pid);
	int root = root_open(path), fd = root < 0 ? -1 : root_file(root, m->path);
	if (root >= 0) close(root);
	if (fd >= 0 && (fstat(fd, &st) || st.st_ino != m->inode)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void image_open(struct image *i, const struct target *t, const struct map *m)
{
	char path[96];

	*i = (struct image){ t, m, -1 };
	if (!t->pid || m->write || m->path[0] != '/' || !m->inode) return;
	snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)t->pid, m->start, m->end);
	i->fd = root_magic(path);
	if (i->fd < 0 && !m->deleted) i->fd = by_path(t, m);
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
