/* mem_pid.c: the bytes of a live process. process_vm_readv where it is permitted, else /proc/PID/mem, which container seccomp
 * profiles leave open. The descriptor is opened first in any case: the kernel decides there and then who may read. */
#include "inspect/target/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { SPANS = 512 };           /* the kernel takes 1024 */

struct mem_pid {
	struct mem mem;
	pid_t pid;
	int fd;                 /* /proc/PID/mem */
	int by_file;            /* process_vm_readv is not permitted here */
};

static int refused(int sys)
{
	return sys == ENOSYS || sys == EPERM || sys == EACCES;
}

/* One transfer is bounded so that its count always fits. */
static size_t clip(size_t n)
{
	return n < (1u << 30) ? n : (1u << 30);
}

static ssize_t pid_read(struct mem *mem, uint64_t addr, void *buf, size_t n)
{
	struct mem_pid *m = (struct mem_pid *)mem;
	n = clip(n);
	if (!m->by_file) {
		struct iovec local = {buf, n}, remote = {(void *)(uintptr_t)addr, n};
		ssize_t r = process_vm_readv(m->pid, &local, 1, &remote, 1, 0);
		if (r >= 0 || !refused(errno)) return r;
		m->by_file = 1;
	}
	/* returns 0 once the address space is gone */
	ssize_t r = pread(m->fd, buf, n, (off_t)addr);
	if (r == 0) errno = ESRCH;
	return r > 0 ? r : -1;
}

static void pid_close(struct mem *mem)
{
	struct mem_pid *m = (struct mem_pid *)mem;
	close(m->fd);
	free(m);
}

static const struct mem_ops ops = {
	.name = "process memory",
	.read = pid_read,
	.close = pid_close,
};

static int open_mem(pid_t pid, int flags, struct err *e)
{
	char path[64], byte;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0) return err_sys(e, errno, "pid %d: opening its memory", (int)pid);
	/* a zombie and a kernel thread open well but have no address space: end of file at once */
	if (pread(fd, &byte, 1, 0) == 0) {
		close(fd);
		return err_set(e, ERR_GONE, "pid %d: it has no memory: it has exited, or is a kernel thread", (int)pid);
	}
	return fd;
}

struct mem *mem_open_pid(pid_t pid, struct err *e)
{
	int fd = open_mem(pid, O_RDONLY, e);
	if (fd < 0) return NULL;
	struct mem_pid *m = xcalloc(1, sizeof *m);
	m->mem.ops = &ops;
	m->pid = pid;
	m->fd = fd;
	return &m->mem;
}

typedef ssize_t transfer(pid_t pid, const struct iovec *local, unsigned long n, const struct iovec *remote, unsigned long m, unsigned long flags);

/* At most as many as one call takes. The kernel ends with the first that it cannot transfer whole. */
static ssize_t some_spans(transfer *do_it, pid_t pid, const struct mem_span *span, size_t n)
{
	struct iovec local[SPANS], remote[SPANS];
	size_t done = 0;

	if (n > SPANS) n = SPANS;
	for (size_t i = 0; i < n; i++) {
		local[i] = (struct iovec){ span[i].bytes, span[i].n };
		remote[i] = (struct iovec){ (void *)(uintptr_t)span[i].addr, span[i].n };
	}
	ssize_t r = do_it(pid, local, n, remote, n, 0);
	if (r < 0) return refused(errno) ? -1 : 0;
	for (size_t left = (size_t)r; done < n && span[done].n <= left; done++) left -= span[done].n;
	return (ssize_t)done;
}

static ssize_t all_spans(transfer *do_it, pid_t pid, const struct mem_span *span, size_t n)
{
	size_t done = 0;
	ssize_t r = 0;

	while (done < n && (r = some_spans(do_it, pid, span + done, n - done)) > 0) done += (size_t)r;
	return r < 0 && !done ? -1 : (ssize_t)done;
}

ssize_t mem_read_spans(pid_t pid, const struct mem_span *span, size_t n) { return all_spans(process_vm_readv, pid, span, n); }
ssize_t mem_write_spans(pid_t pid, const struct mem_span *span, size_t n) { return all_spans(process_vm_writev, pid, span, n); }

int mem_write_pid(pid_t pid, uint64_t addr, const void *buf, size_t n, struct err *e)
{
	size_t done = 0;
	int fd = -1;
	while (done < n) {
		struct iovec local = {(char *)buf + done, clip(n - done)}, remote = {(void *)(uintptr_t)(addr + done), local.iov_len};
		ssize_t r;
		if (fd < 0) {
			r = process_vm_writev(pid, &local, 1, &remote, 1, 0);
			if (r < 0 && refused(errno)) {
				fd = open_mem(pid, O_RDWR, e);
				if (fd < 0) return -1;
				continue;
			}
		} else {
			r = pwrite(fd, local.iov_base, local.iov_len, (off_t)(addr + done));
		}
		if (r <= 0) {
			int sys = r < 0 ? errno : ESRCH;
			if (fd >= 0) close(fd);
			return err_sys(e, sys, "pid %d: writing %zu bytes at 0x%llx", (int)pid, n, (unsigned long long)addr);
		}
		done += (size_t)r;
	}
	if (fd >= 0) close(fd);
	return 0;
}
