/* mem_fixture.c: bytes at hand, standing for a target's. For tests. */
#include "inspect/target/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/xalloc.h"

struct mem_fixture {
	struct mem mem;
	uint64_t base;
	const char *bytes;
	size_t n;
};

static ssize_t fixture_read(struct mem *mem, uint64_t addr, void *buf, size_t n)
{
	struct mem_fixture *m = (struct mem_fixture *)mem;
	if (addr < m->base || addr - m->base >= m->n) {
		errno = EFAULT;
		return -1;
	}
	size_t at = (size_t)(addr - m->base);
	if (n > m->n - at) n = m->n - at;
	memcpy(buf, m->bytes + at, n);
	return (ssize_t)n;
}

static void fixture_close(struct mem *mem)
{
	free(mem);
}

static const struct mem_ops ops = {
	.name = "fixture",
	.read = fixture_read,
	.close = fixture_close,
};

struct mem *mem_open_fixture(uint64_t base, const void *bytes, size_t n)
{
	struct mem_fixture *m = xcalloc(1, sizeof *m);
	m->mem.ops = &ops;
	m->base = base;
	m->bytes = bytes;
	m->n = n;
	return &m->mem;
}
