/* pagemap.c: see pagemap.h. One ioctl tells whole runs since Linux 6.7; before, an eight-byte entry is read for every page. */
#include "inspect/target/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096, ENTRIES = 8192, RUNS = 256 };

/* linux/fs.h of 6.7; older headers do not have it. */
struct scan_region { uint64_t start, end, categories; };
struct scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_arg)
enum { SCAN_PRESENT = 1 << 3, SCAN_SWAPPED = 1 << 4, SCAN_ZERO = 1 << 5 };

#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_SWAPPED (UINT64_C(1) << 62)
#define ENTRY_FRAME ((UINT64_C(1) << 55) - 1)

struct pagemap {
	int fd;
	int by_entry;           /* no ioctl */
	uint64_t zero_frame;    /* of the page of zeros; 0: not told (needs privilege) */
	struct pagemap_run run[RUNS];   /* for pagemap_next: what lies in [from, until) */
	size_t nruns;
	uint64_t from, until;
};

/* A page that has only been read is the page of zeros: ours tells which frame that is. */
static uint64_t zero_frame(void)
{
	uint64_t entry = 0;
	volatile char *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (page != MAP_FAILED) {
		(void)*page;
		if (fd >= 0 && pread(fd, &entry, sizeof entry, (off_t)((uintptr_t)page / PAGE * sizeof entry)) != sizeof entry) entry = 0;
		munmap((void *)page, PAGE);
	}
	if (fd >= 0) close(fd);
	return entry & ENTRY_FRAME;
}

struct pagemap *pagemap_open(pid_t pid, struct err *e)
{
	struct scan_arg arg = { .size = sizeof arg };
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/proc/%d/pagemap", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_sys(e, errno, "pid %d: reading which of its pages are resident", (int)pid);
		return NULL;
	}
	struct pagemap *p = xcalloc(1, sizeof *p);
	p->fd = fd;
	/* an empty range is a valid question */
	p->by_entry = ioctl(fd, SCAN, &arg) < 0 && (errno == ENOTTY || errno == EINVAL);
	if (p->by_entry) p->zero_frame = zero_frame();
	return p;
}

void pagemap_close(struct pagemap *p)
{
	if (!p) return;
	close(p->fd);
	free(p);
}

static size_t runs_by_scan(struct pagemap *p, uint64_t start, uint64_t end, struct pagemap_run *out, size_t max, uint64_t *until)
{
	struct scan_region region[RUNS];
	struct scan_arg arg = {
		.size = sizeof arg, .start = start, .end = end, .vec = (uintptr_t)region, .vec_len = max < RUNS ? max : RUNS,
		.category_inverted = SCAN_ZERO, .category_mask = SCAN_ZERO, .category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED,
	};
	int n = ioctl(p->fd, SCAN, &arg);

	if (n < 0) n = 0, arg.walk_end = end;   /* gone, or no such addresses */
	for (int i = 0; i < n; i++) {
		out[i].start = region[i].start;
		out[i].end = region[i].end;
		out[i].flags = region[i].categories & SCAN_PRESENT ? PAGEMAP_PRESENT : PAGEMAP_SWAPPED;
	}
	*until = arg.walk_end > start && arg.walk_end <= end ? arg.walk_end : end;
	return (size_t)n;
}

static size_t runs_by_entry(struct pagemap *p, uint64_t start, uint64_t end, struct pagemap_run *out, size_t max, uint64_t *until)
{
	uint64_t entry[ENTRIES / 8];
	size_t n = 0;

	for (uint64_t at = start; at < end;) {
		size_t want = (size_t)((end - at) / PAGE), some = sizeof entry / sizeof *entry;
		ssize_t got = pread(p->fd, entry, (want < some ? want : some) * sizeof *entry, (off_t)(at / PAGE * sizeof *entry));
		if (got < (ssize_t)sizeof *entry) break;
		for (size_t i = 0; i < (size_t)got / sizeof *entry; i++, at += PAGE) {
			unsigned flags = entry[i] & ENTRY_PRESENT ? PAGEMAP_PRESENT : entry[i] & ENTRY_SWAPPED ? PAGEMAP_SWAPPED : 0;
			if (flags == PAGEMAP_PRESENT && p->zero_frame && (entry[i] & ENTRY_FRAME) == p->zero_frame) flags = 0;
			if (!flags) continue;
			if (n && out[n - 1].end == at && out[n - 1].flags == flags) {
				out[n - 1].end += PAGE;
				continue;
			}
			if (n == max) {
				*until = at;
				return n;
			}
			out[n++] = (struct pagemap_run){ at, at + PAGE, flags };
		}
	}
	*until = end;
	return n;
}

size_t pagemap_runs(struct pagemap *p, uint64_t start, uint64_t end, struct pagemap_run *out, size_t max, uint64_t *until)
{
	*until = end;
	if (start >= end || !max) return 0;
	return (p->by_entry ? runs_by_entry : runs_by_scan)(p, start, end, out, max, until);
}

uint64_t pagemap_next(struct pagemap *p, uint64_t addr, uint64_t end, uint64_t *stop)
{
	*stop = end;
	addr &= ~(uint64_t)(PAGE - 1);
	while (addr < end) {
		if (addr < p->from || addr >= p->until) {
			p->from = addr;
			p->nruns = pagemap_runs(p, addr, (end + PAGE - 1) & ~(uint64_t)(PAGE - 1), p->run, RUNS, &p->until);
		}
		size_t lo = 0, hi = p->nruns;
		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;
			if (p->run[mid].end <= addr) lo = mid + 1;
			else hi = mid;
		}
		if (lo < p->nruns) {
			uint64_t at = p->run[lo].start > addr ? p->run[lo].start : addr;
			if (p->run[lo].end < end) *stop = p->run[lo].end;
			return at < end ? at : end;
		}
		addr = p->until;
	}
	return end;
}
