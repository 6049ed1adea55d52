/* root.c: openat2, and /proc/self/fd to go from a path to reading. See root.h. */
#include "inspect/symbol/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int root_open(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* From a descriptor that only names a file to one that reads it. Closes `path`. */
static int to_read(int path)
{
	struct stat st;
	char link[64];
	if (path < 0) return -1;
	int fd = -1;
	if (!fstat(path, &st) && S_ISREG(st.st_mode)) {
		snprintf(link, sizeof link, "/proc/self/fd/%d", path);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	}
	close(path);
	return fd;
}

int root_file(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
	/* before Linux 5.6, or forbidden by a seccomp filter that does not know it: links may lead outside, which the check of the
	   build ID catches */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
		while (*path == '/') path++;
		fd = openat(root, path, O_PATH | O_CLOEXEC);
	}
	return to_read(fd);
}

int root_magic(const char *path)
{
	return to_read(open(path, O_PATH | O_CLOEXEC));
}
