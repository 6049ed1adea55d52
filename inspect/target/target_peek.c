/* target_peek.c: looks at a process without making it larger: pages that it has not touched are not touched by us either, and what
 * stands in files is read from the files. See target.h. */
#include "inspect/target/target.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/target/mem.h"
#include "inspect/target/pagemap.h"

enum { PAGE = 4096, RUNS = 64 };

size_t target_peek(const struct target *t, uint64_t addr, void *buf, size_t n)
{
	struct pagemap_run run[RUNS];
	uint64_t end = addr + n, until;

	if (!t->pages || end < addr) return mem_read_some(t->mem, addr, buf, n);
	memset(buf, 0, n);
	for (uint64_t at = addr & ~(uint64_t)(PAGE - 1); at < end; at = until) {
		size_t k = pagemap_runs(t->pages, at, (end + PAGE - 1) & ~(uint64_t)(PAGE - 1), run, RUNS, &until);
		for (size_t i = 0; i < k; i++) {
			uint64_t from = run[i].start > addr ? run[i].start : addr, to = run[i].end < end ? run[i].end : end;
			/* what is swapped stays so */
			if (run[i].flags & PAGEMAP_PRESENT && from < to) mem_read_some(t->mem, from, (char *)buf + (from - addr), (size_t)(to - from));
		}
		if (until <= at) break;
	}
	return n;
}

/* Opened again for reading only when it is a regular file: opening a device may act. */
static int regular(int path_fd, uint64_t inode)
{
	struct stat st;
	char self[64];
	int fd = -1;

	if (path_fd < 0) return -1;
	if (!fstat(path_fd, &st) && S_ISREG(st.st_mode) && st.st_ino == inode) {
		snprintf(self, sizeof self, "/proc/self/fd/%d", path_fd);
		fd = open(self, O_RDONLY | O_CLOEXEC);
	}
	close(path_fd);
	return fd;
}

int target_file(const struct target *t, const struct map *m)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	char path[128];
	int root, fd;

	if (!t->pid || m->path[0] != '/') return -1;
	/* what is mapped, also when it has been replaced; needs privilege */
	snprintf(path, sizeof path, "/proc/%d/map_files/%llx-%llx", (int)t->pid, (unsigned long long)m->start, (unsigned long long)m->end);
	if ((fd = regular(open(path, O_PATH | O_CLOEXEC), m->inode)) >= 0 || m->deleted) return fd;
	snprintf(path, sizeof path, "/proc/%d/root", (int)t->pid);
	if ((root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) return -1;
	fd = regular((int)syscall(SYS_openat2, root, m->path, &how, sizeof how), m->inode);
	close(root);
	if (fd >= 0) return fd;
	/* of a process in a chroot on our file systems the kernel says the path as we see it */
	how.resolve = RESOLVE_NO_SYMLINKS;
	return regular((int)syscall(SYS_openat2, AT_FDCWD, m->path, &how, sizeof how), m->inode);
}
