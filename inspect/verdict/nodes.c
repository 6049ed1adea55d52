/* nodes.c: see nodes.h. */
#include "inspect/verdict/nodes.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODES = 64, LIST = 1024, PROCESSOR = 39, COMM = 2 /* fields of stat, from 1 */ };

int nodes_processor(const char *stat)
{
	const char *p = strrchr(stat, ')');

	for (int field = COMM; p && field < PROCESSOR; field++) {
		p = strchr(p, ' ');
		if (p) p++;
	}
	return p && isdigit((unsigned char)*p) ? atoi(p) : -1;
}

int nodes_listed(const char *list, int processor)
{
	for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
		int from, to, n = sscanf(p, "%d-%d", &from, &to);
		if (n < 1) return 0;
		if (processor >= from && processor <= (n == 2 ? to : from)) return 1;
	}
	return 0;
}

static int slurp(const char *path, char *buf, size_t n)
{
	FILE *f = fopen(path, "re");
	size_t got = f ? fread(buf, 1, n - 1, f) : 0;

	if (f) fclose(f);
	buf[got] = 0;
	return got > 0;
}

uint64_t nodes_of_threads(pid_t pid)
{
	static char list[NODES][LIST];
	char path[300], stat[1024];
	uint64_t seen = 0;
	struct dirent *d;

	if (access("/sys/devices/system/node/node1", F_OK)) return 0;
	for (unsigned n = 0; n < NODES; n++) {
		snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpulist", n);
		slurp(path, list[n], LIST);
	}
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		snprintf(path, sizeof path, "/proc/%d/task/%s/stat", (int)pid, d->d_name);
		int processor = isdigit((unsigned char)*d->d_name) && slurp(path, stat, sizeof stat) ? nodes_processor(stat) : -1;
		for (unsigned n = 0; processor >= 0 && n < NODES; n++)
			if (nodes_listed(list[n], processor)) seen |= UINT64_C(1) << n;
	}
	if (tasks) closedir(tasks);
	return seen;
}
