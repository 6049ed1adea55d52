/* usage.c: see usage.h. */
#include "inspect/target/usage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/target/err.h"

static int slurp(int dir, const char *name, char *buf, size_t cap)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, cap - 1);

	if (fd >= 0) close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0 ? 0 : -1;
}

static uint64_t field(const char *status, const char *name)
{
	const char *s = strstr(status, name);

	return s ? strtoull(s + strlen(name), NULL, 10) : 0;
}

/* The kernel sums faults and times over threads, but not switches. */
static void read_switches(struct usage *u, int dir)
{
	int fd = openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char name[300], buf[8192];

	if (!d && fd >= 0) close(fd);
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.') continue;
		snprintf(name, sizeof name, "%s/status", entry->d_name);
		if (slurp(dirfd(d), name, buf, sizeof buf)) continue;
		u->voluntary += field(buf, "\nvoluntary_ctxt_switches:");
		u->involuntary += field(buf, "\nnonvoluntary_ctxt_switches:");
	}
	if (d) closedir(d);
}

int usage_read(struct usage *u, pid_t pid, struct err *e)
{
	char path[32], buf[2048];
	uint64_t user, system;
	double tick = (double)sysconf(_SC_CLK_TCK);

	*u = (struct usage){ 0 };
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), bad = dir < 0 || slurp(dir, "stat", buf, sizeof buf);
	/* fields 10 and 12 are the faults, 14 and 15 the times; the name ends at the last parenthesis */
	const char *close_paren = bad ? NULL : strrchr(buf, ')');
	bad = !close_paren || sscanf(close_paren + 1, " %*c %*s %*s %*s %*s %*s %*s %" SCNu64 " %*s %" SCNu64 " %*s %" SCNu64 " %" SCNu64, &u->minor_faults, &u->major_faults,
	                             &user, &system) != 4;
	if (!bad) {
		u->user_s = (double)user / tick;
		u->system_s = (double)system / tick;
		read_switches(u, dir);
	}
	if (dir >= 0) close(dir);
	return bad ? err_sys(e, ESRCH, "pid %d", (int)pid) : 0;
}
