/* huge.c: see huge.h. The kernel's header is newer than those that most machines compile with (include/uapi/linux/fs.h). */
#include "inspect/perf/huge.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct scan_arg { uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, anyof_mask, return_mask; };
struct scan_region { uint64_t start, end, categories; };

#define SCAN _IOWR('f', 16, struct scan_arg)
#define PAGE_IS_HUGE UINT64_C(64)

static int scan(int fd, uint64_t addr)
{
	struct scan_region r;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct scan_arg arg = { .size = sizeof arg, .start = addr & -page, .end = (addr & -page) + page, .vec = (uintptr_t)&r, .vec_len = 1,
	                        .mask = PAGE_IS_HUGE, .return_mask = PAGE_IS_HUGE };

	return ioctl(fd, SCAN, &arg);
}

int huge_open(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && scan(fd, 1 << 16) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int huge_at(int fd, uint64_t addr) { return scan(fd, addr) > 0; }

uint64_t huge_size(void)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "re");
	unsigned long long v = 0;

	if (f && fscanf(f, "%llu", &v) != 1) v = 0;
	if (f) fclose(f);
	return v ? v : 2 << 20;
}
