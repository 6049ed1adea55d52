/* descriptor.c: see descriptor.h. */
#include "inspect/client/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

struct descriptor {
	struct mem mem;
	int fd;
};

static ssize_t descriptor_read(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	ssize_t r;

	if (addr > INT64_MAX) return errno = EFAULT, -1;
	do r = pread(((struct descriptor *)m)->fd, buf, n, (off_t)addr);
	while (r < 0 && errno == EINTR);
	/* the end of the file: it was cut since we asked for its size */
	return r ? r : (errno = EFAULT, -1);
}

static void descriptor_close(struct mem *m)
{
	close(((struct descriptor *)m)->fd);
	free(m);
}

static const struct mem_ops ops = {
	.name = "segment",
	.read = descriptor_read,
	.close = descriptor_close,
};

int descriptor_open(const char *path)
{
	struct stat st;
	char again[40];
	int fd = -1, name = open(path, O_PATH | O_CLOEXEC);

	if (name < 0) return -1;
	if (!fstat(name, &st) && !S_ISREG(st.st_mode)) {
		errno = EINVAL;
	} else {
		snprintf(again, sizeof again, "/proc/self/fd/%d", name);
		fd = open(again, O_RDONLY | O_CLOEXEC);
	}
	int sys = errno;
	close(name);
	errno = sys;
	return fd;
}

struct mem *descriptor_mem(int fd, struct stat *st)
{
	if (fstat(fd, st) || !S_ISREG(st->st_mode)) {
		close(fd);
		return NULL;
	}
	struct descriptor *d = xcalloc(1, sizeof *d);
	d->mem.ops = &ops;
	d->fd = fd;
	return &d->mem;
}

int descriptor_stat(struct mem *m, struct stat *st)
{
	return fstat(((struct descriptor *)m)->fd, st);
}
