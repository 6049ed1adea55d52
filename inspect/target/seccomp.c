/* seccomp.c: see seccomp.h. */
#include "inspect/target/seccomp.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/target/proc.h"

enum { STRICT = 1, THREADS_MAX = 4096 };

/* How many filters it is under; -1 when that cannot be told. */
static int filters(const char *path, int *mode)
{
	FILE *f = fopen(path, "re");
	char line[256];
	int n = -1;

	*mode = 0;
	while (f && fgets(line, sizeof line, f)) {
		sscanf(line, "Seccomp: %d", mode);
		sscanf(line, "Seccomp_filters: %d", &n);
	}
	if (f) fclose(f);
	return n;
}

int seccomp_is_own(const struct proc *p)
{
	char path[64];
	int mode, own = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)p->ppid);
	int parents = filters(path, &mode);
	snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
	DIR *d = opendir(path);
	struct dirent *de;
	for (int n = 0; d && !own && n < THREADS_MAX && (de = readdir(d)); n++) {
		int tid = (int)strtol(de->d_name, NULL, 10);
		if (tid <= 0) continue;
		snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)p->pid, tid);
		own = filters(path, &mode) > (parents > 0 ? parents : 0) || mode == STRICT;
	}
	if (d) closedir(d);
	return own;
}
