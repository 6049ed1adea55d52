/* machine.c: see machine.h. */
#include "inspect/verdict/machine.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/smaps.h"
#include "inspect/verdict/facts.h"

enum { CPUS_MAX = 8192 };

static int slurp(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, cap - 1);

	if (fd >= 0) close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* Does a list such as "0-3,8" name a processor of the set? */
static int names_any(const char *list, const cpu_set_t *set, size_t size)
{
	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
		unsigned from, to;
		int n = sscanf(p, "%u-%u", &from, &to);
		if (n < 1) return 0;
		if (n == 1) to = from;
		for (unsigned i = from; i <= to && i < CPUS_MAX; i++)
			if (CPU_ISSET_S(i, size, set)) return 1;
	}
	return 0;
}

static void processors(struct facts *f, pid_t pid)
{
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	char path[64], list[1024];
	long here = sysconf(_SC_NPROCESSORS_ONLN);

	f->cpus = f->cpus_here = here > 0 ? (unsigned)here : 1;
	f->numa_nodes = f->cpu_nodes = 0;
	if (!set) return;
	CPU_ZERO_S(size, set);
	int known = !sched_getaffinity(pid, size, set);
	if (known) f->cpus = (unsigned)CPU_COUNT_S(size, set);
	for (unsigned i = 0; i < 1024; i++) {
		snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpulist", i);
		if (!slurp(path, list, sizeof list)) {
			if (access("/sys/devices/system/node", F_OK) || i >= 8) break;
			continue;
		}
		f->numa_nodes++;
		f->cpu_nodes += known && names_any(list, set, size);
	}
	CPU_FREE(set);
}

/* The word in brackets. */
static void huge_pages(struct facts *f)
{
	char buf[128];

	if (!slurp("/sys/kernel/mm/transparent_hugepage/enabled", buf, sizeof buf)) return;
	char *open = strchr(buf, '['), *close = open ? strchr(open, ']') : NULL;
	if (close) snprintf(f->thp, sizeof f->thp, "%.*s", (int)(close - open - 1), open + 1);
}

/* The policy of the heap; "default" when every mapping is left to the kernel. */
static void policy(struct facts *f, pid_t pid)
{
	char path[64], line[512], word[24] = "";

	if (f->numa_nodes < 2) return;
	snprintf(path, sizeof path, "/proc/%d/numa_maps", (int)pid);
	FILE *maps = fopen(path, "re");
	while (maps && fgets(line, sizeof line, maps))
		if (strstr(line, " anon=") && sscanf(line, "%*x %23[a-z]", word) == 1 && strcmp(word, "default")) break;
	if (maps) fclose(maps);
	snprintf(f->numa_policy, sizeof f->numa_policy, "%s", word);
}

/* Of the group it is in and of those above: the least. The files lie below our own view of the hierarchy, which in a container is the
   container's. */
static void limit_of(struct facts *f, const char *controller, const char *group, const char *file)
{
	char path[4608], buf[64], dir[4096];

	for (snprintf(dir, sizeof dir, "%s", group);;) {
		snprintf(path, sizeof path, "/sys/fs/cgroup%s%s/%s", controller, dir, file);
		if (slurp(path, buf, sizeof buf) && buf[0] >= '0' && buf[0] <= '9') {
			double v = strtod(buf, NULL);
			/* version 1 says "none" with a number near 2^63 */
			if (v < 0x1p60 && !(v >= f->memory_limit)) f->memory_limit = v;
		}
		char *slash = strrchr(dir, '/');
		if (!slash || !*dir) return;
		*slash = 0;
	}
}

static void memory_limit(struct facts *f, pid_t pid)
{
	char path[64], line[4096];

	f->memory_limit = NAN;
	snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
	FILE *groups = fopen(path, "re");
	while (groups && fgets(line, sizeof line, groups)) {
		line[strcspn(line, "\n")] = 0;
		char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
		if (!second || strstr(second, "..")) continue;
		*second = 0;
		if (!first[1]) limit_of(f, "", second + 1, "memory.max");
		else if (strstr(first, "memory")) limit_of(f, "/memory", second + 1, "memory.limit_in_bytes");
	}
	if (groups) fclose(groups);
}

/* Anonymous resident memory, by the kernel's sum. */
static double anonymous(pid_t pid)
{
	char path[64], buf[8192];

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	const char *line = slurp(path, buf, sizeof buf) ? strstr(buf, "\nRssAnon:") : NULL;
	return line ? strtod(line + 9, NULL) * 1024 : NAN;
}

void machine_fill(struct facts *f, pid_t pid)
{
	struct smaps s;
	struct err e;

	processors(f, pid);
	huge_pages(f);
	policy(f, pid);
	memory_limit(f, pid);
	f->anonymous = anonymous(pid);
	if (smaps_read(&s, pid, &e)) return;
	f->rss = (double)s.rss;
	f->swap = (double)s.swap;
	f->lazy_free = (double)s.lazy_free;
	f->huge = (double)s.huge;
	f->hugetlb = (double)s.hugetlb;
}
