/* mem.c: what all sources of a target's bytes have in common. See mem.h. */
#include "inspect/target/mem.h"

#include <errno.h>

#include "inspect/target/err.h"

void mem_close(struct mem *m)
{
	if (m) m->ops->close(m);
}

int mem_read(struct mem *m, uint64_t addr, void *buf, size_t n, struct err *e)
{
	size_t got = 0;
	errno = 0;
	while (got < n) {
		ssize_t r = addr > UINT64_MAX - n ? 0 : m->ops->read(m, addr + got, (char *)buf + got, n - got);
		if (r <= 0) {
			int sys = r < 0 && errno ? errno : EFAULT;
			return err_sys(e, sys, "%s: reading %zu bytes at 0x%llx, unreadable from 0x%llx", m->ops->name, n,
			               (unsigned long long)addr, (unsigned long long)(addr + got));
		}
		got += (size_t)r;
	}
	return 0;
}

size_t mem_read_some(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	if (n > UINT64_MAX - addr) n = (size_t)(UINT64_MAX - addr);
	size_t got = 0;
	while (got < n) {
		ssize_t r = m->ops->read(m, addr + got, (char *)buf + got, n - got);
		if (r <= 0) break;
		got += (size_t)r;
	}
	return got;
}
