/* runs.c: see runs.h. */
#include "inspect/lock/runs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int runs_open(int task, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof path, "%d/schedstat", (int)tid);
	return openat(task, path, O_RDONLY | O_CLOEXEC);
}

int runs_read(int fd, struct runs *out)
{
	char buf[128], *p = buf;
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, sizeof buf - 1, 0);

	if (n <= 0) return -1;
	buf[n] = 0;
	out->ran_ns = strtoull(p, &p, 10);
	out->waited_ns = strtoull(p, &p, 10);
	out->times = strtoull(p, &p, 10);
	return out->times ? 0 : -1;     /* all zero: it does not count */
}
