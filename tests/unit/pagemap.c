/* pagemap.c: residency of our own pages, which we know: touched, only read, given back. */
#include "inspect/target/pagemap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/numa.h"
#include "inspect/target/smaps.h"
#include "tests/tap.h"

enum { PAGE = 4096, N = 64 };

static uint64_t resident(struct pagemap *p, const char *at, size_t n, size_t max)
{
	struct pagemap_run run[N];
	uint64_t sum = 0, from = (uintptr_t)at, end = from + n, last = from;

	for (uint64_t until; from < end; from = until) {
		size_t k = pagemap_runs(p, from, end, run, max, &until);
		for (size_t i = 0; i < k; i++) {
			if (run[i].start < last || run[i].end > end) return UINT64_MAX;
			last = run[i].end;
			if (run[i].flags & PAGEMAP_PRESENT) sum += run[i].end - run[i].start;
		}
		if (until <= from) return UINT64_MAX;
	}
	return sum;
}

int main(void)
{
	struct err e;
	struct pagemap *p = pagemap_open(getpid(), &e);
	volatile char *m = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), sum = 0;
	const char *c = (const char *)m;
	uint64_t stop;

	madvise((void *)m, N * PAGE, MADV_NOHUGEPAGE);
	if (!ok(p && m != MAP_FAILED, "our own pagemap opens")) return done();
	ok(resident(p, c, N * PAGE, N) == 0, "untouched pages are not there");
	for (int i = 0; i < N; i += 2) m[i * PAGE] = 1;
	ok(resident(p, c, N * PAGE, N) == N / 2 * PAGE, "every second page touched: half is there");
	ok(resident(p, c, N * PAGE, 3) == N / 2 * PAGE, "the same in small pieces");
	for (int i = 1; i < 20; i += 2) sum = (char)(sum + m[i * PAGE]);
	ok(resident(p, c, N * PAGE, N) == N / 2 * PAGE, "pages that were only read are not resident%s", sum ? "!" : "");
	madvise((void *)(m + 10 * PAGE), 10 * PAGE, MADV_DONTNEED);
	ok(resident(p, c, N * PAGE, N) == (N / 2 - 5) * PAGE, "ten pages given back, five of them were there");
	uint64_t base = (uintptr_t)c, end = base + N * PAGE;
	pagemap_close(p);
	p = pagemap_open(getpid(), &e);
	ok(pagemap_next(p, base, end, &stop) == base && stop == base + PAGE, "the first page, and how far it goes");
	ok(pagemap_next(p, base + PAGE, end, &stop) == base + 2 * PAGE, "the next one is the third");
	ok(pagemap_next(p, base + 9 * PAGE, end, &stop) == base + 20 * PAGE, "and over the hole");
	ok(pagemap_next(p, base + 63 * PAGE, end, &stop) == end, "nothing behind the last");
	memset((void *)m, 1, 8 * PAGE);
	pagemap_close(p);
	p = pagemap_open(getpid(), &e);
	ok(pagemap_next(p, base, end, &stop) == base && stop == base + 9 * PAGE, "nine in a row");
	pagemap_close(p);
	ok(!pagemap_open(1 << 30, &e) && e.kind == ERR_GONE, "no such process: %s", e.text);

	struct smaps s = { 0 };
	smaps_parse(&s, "00400000-7ffc [rollup]\nRss:     1234 kB\nPss: 99 kB\nAnonHugePages:  2048 kB\nLazyFree:   8 kB\nSwap:  12 kB\nSwapPss: 7 kB\nPrivate_Hugetlb: 4096 kB");
	ok(s.rss == 1234 * 1024 && s.huge == 2 << 20 && s.lazy_free == 8192 && s.swap == 12 << 10 && s.hugetlb == 4 << 20, "the kernel's sums");
	ok(!smaps_read(&s, getpid(), &e) && s.rss > 100 << 10, "our own");

	struct numa n = { 0 };
	numa_parse_line(&n, "7f1200000000 default anon=30 dirty=30 active=0 N0=20 N1=10 kernelpagesize_kB=4\n");
	numa_parse_line(&n, "7f1300000000 default file=/usr/lib/x.so mapped=7 N1=7 kernelpagesize_kB=4\n");
	numa_parse_line(&n, "7f1400000000 default file=/anon_hugepage huge anon=2 dirty=2 N0=2 kernelpagesize_kB=2048\n");
	numa_parse_line(&n, "7f1500000000 default anon=1 N99999999999999999999=1 N-1=2 Nx=3 N2\n");
	ok(n.n == 2 && n.anonymous[0] == 20 * 4096 && n.anonymous[1] == 10 * 4096 && n.file[1] == 7 * 4096 && !n.file[0], "memory by node");
	return done();
}
