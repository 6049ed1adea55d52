/* numa.c: see numa.h. A line is of one mapping: "7f12… default anon=3 dirty=3 N0=2 N1=1 kernelpagesize_kB=4". */
#include "inspect/target/numa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void numa_parse_line(struct numa *out, const char *line)
{
	const char *size = strstr(line, "kernelpagesize_kB=");
	uint64_t page = size ? strtoull(size + 18, NULL, 10) * 1024 : 4096;
	int file = strstr(line, " file=") != NULL;

	/* reserved huge pages are not resident memory, as the kernel counts */
	if (strstr(line, " huge") || page > 1 << 30) return;
	for (const char *p = strstr(line, " N"); p; p = strstr(p + 2, " N")) {
		char *end;
		unsigned long node = strtoul(p + 2, &end, 10);
		if (end == p + 2 || *end != '=' || node >= NUMA_NODES) continue;
		(file ? out->file : out->anonymous)[node] += strtoull(end + 1, NULL, 10) * page;
		if (node >= out->n) out->n = (unsigned)node + 1;
	}
}

int numa_read(struct numa *out, pid_t pid)
{
	char path[64], line[8192];
	FILE *f;

	*out = (struct numa){ 0 };
	snprintf(path, sizeof path, "/proc/%d/numa_maps", (int)pid);
	if (!(f = fopen(path, "re"))) return -1;
	while (fgets(line, sizeof line, f)) numa_parse_line(out, line);
	fclose(f);
	return 0;
}
