/* pidns.c: see pidns.h. NSpid in /proc/PID/status has a number for each level from the namespace of /proc down to the process's own; that the
 * namespace at a level is the one that is meant, and not a sister of it, is told by its inode. */
#include "inspect/target/pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/target/err.h"

enum { LEVELS_MAX = 33 };       /* the kernel's MAX_PID_NS_LEVEL, and the first */

/* The process's numbers, outermost first; 0 when it is gone. */
static unsigned numbers(pid_t pid, pid_t out[LEVELS_MAX])
{
	char path[40], line[512];
	unsigned n = 0;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && !n && fgets(line, sizeof line, f)) {
		if (strncmp(line, "NSpid:", 6)) continue;
		for (char *s = line + 6, *end; n < LEVELS_MAX; s = end) {
			long v = strtol(s, &end, 10);
			if (end == s) break;
			out[n++] = (pid_t)v;
		}
	}
	if (f) fclose(f);
	return n;
}

static int ns_open(pid_t pid)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

int pidns_of(struct pidns *ns, pid_t pid, struct err *e)
{
	pid_t number[LEVELS_MAX];
	struct stat st;
	unsigned n = numbers(pid, number);
	int fd = n ? ns_open(pid) : (errno = ENOENT, -1), bad = fd < 0 || fstat(fd, &st), sys = errno;

	if (fd >= 0) close(fd);
	if (bad && (sys == ENOENT || sys == ESRCH)) return err_set(e, ERR_GONE, "pid %d: no such process", (int)pid);
	if (bad) return err_sys(e, sys, "pid %d: looking at its PID namespace", (int)pid);
	*ns = (struct pidns){ st.st_dev, st.st_ino, n - 1 };
	return 0;
}

pid_t pidns_number(const struct pidns *ns, pid_t pid)
{
	pid_t number[LEVELS_MAX];
	struct stat st;
	unsigned n = numbers(pid, number);

	if (n <= ns->depth) return 0;
	int fd = ns_open(pid);
	if (fd < 0) return errno == EACCES || errno == EPERM ? -number[ns->depth] : 0;
	for (unsigned level = n - 1; fd >= 0 && level > ns->depth; level--) {
		int parent = ioctl(fd, NS_GET_PARENT);
		close(fd);
		fd = parent;
	}
	int is = fd >= 0 && !fstat(fd, &st) && st.st_dev == ns->dev && st.st_ino == ns->ino;
	if (fd >= 0) close(fd);
	return is ? number[ns->depth] : 0;
}
