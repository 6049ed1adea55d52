/* socket.c: see socket.h. The target's file system is entered below its root and never left through its links; the directory must
 * belong to the target's user (or root) and let nobody else make a socket in it; the peer's credentials are the kernel's word. */
#include "inspect/client/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "inspect/target/proc.h"

enum { PATIENCE_MS = 500, ENVIRON_MAX = 256 << 10, PATH_SPACE = 512, DIRS_MAX = 4 };

/* A directory of the target's; -1 when it is not there or not to be trusted. */
static int dir_open(const struct proc *p, const char *path)
{
	char root[40];
	struct stat st;
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	snprintf(root, sizeof root, "/proc/%d/root", (int)p->pid);
	int top = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* not permitted, for a process that changed its user: if it is in our root it can still be met there */
	if (top < 0) top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0) return -1;
	int fd = (int)syscall(SYS_openat2, top, path, &how, sizeof how);
	close(top);
	if (fd < 0) return -1;
	if (!fstat(fd, &st) && (st.st_uid == p->uid || st.st_uid == 0) && !(st.st_mode & 022)) return fd;
	close(fd);
	return -1;
}

/* The target's own value of a variable, "" if it cannot be known. */
static void variable(char out[PATH_SPACE], const char *environ_text, size_t n, const char *name)
{
	size_t len = strlen(name);

	*out = 0;
	for (const char *s = environ_text, *end = s + n; s < end; s += strnlen(s, (size_t)(end - s)) + 1)
		if ((size_t)(end - s) > len && !memcmp(s, name, len) && s[len] == '=') {
			snprintf(out, PATH_SPACE, "%.*s", PATH_SPACE - 1, s + len + 1);
			return;
		}
}

static size_t read_environ(pid_t pid, char *buf)
{
	char path[40];
	size_t n = 0;
	ssize_t r;

	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return 0;
	while (n < ENVIRON_MAX - 1 && (r = read(fd, buf + n, ENVIRON_MAX - 1 - n)) > 0) n += (size_t)r;
	close(fd);
	buf[n] = 0;
	return n;
}

/* The directories where the agent may have put its socket, likeliest first. It chose by its own environment, which we may not see. */
static unsigned dirs(const struct proc *p, char dir[DIRS_MAX][PATH_SPACE + 16])
{
	char *text = malloc(ENVIRON_MAX), theirs[PATH_SPACE], runtime[PATH_SPACE];
	const char *ours = getenv("ALLOCTOP_DIR"), *our_runtime = getenv("XDG_RUNTIME_DIR");
	unsigned n = 0;

	if (!text) return 0;
	size_t len = read_environ(p->pid, text);
	variable(theirs, text, len, "ALLOCTOP_DIR");
	variable(runtime, text, len, "XDG_RUNTIME_DIR");
	free(text);
	if (ours) snprintf(dir[n++], sizeof *dir, "%s", ours);
	if (*theirs) snprintf(dir[n++], sizeof *dir, "%s", theirs);
	else if (*runtime) snprintf(dir[n++], sizeof *dir, "%s/alloctop", runtime);
	else if (our_runtime && getuid() == p->uid) snprintf(dir[n++], sizeof *dir, "%s/alloctop", our_runtime);
	snprintf(dir[n++], sizeof *dir, "/tmp/alloctop-%u", (unsigned)p->uid);
	return n;
}

/* A connection to the target itself, or -1. */
static int connect_in(const struct proc *p, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct ucred peer;
	struct stat st;
	socklen_t len = sizeof peer;
	char name[32];
	int dir = *path == '/' ? dir_open(p, path) : -1, fd = -1;

	if (dir < 0) return -1;
	snprintf(name, sizeof name, "%d.sock", (int)p->inner_pid);
	/* through the descriptor: what was checked is what is used, and no path is too long for an address */
	snprintf(to.sun_path, sizeof to.sun_path, "/proc/self/fd/%d/%s", dir, name);
	if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(st.st_mode))
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* the kernel gives the peer's PID as it is in our PID namespace, 0 if it has none there */
	if (fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) ||
	                getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) || peer.pid != p->pid)) {
		close(fd);
		fd = -1;
	}
	close(dir);
	return fd;
}

static int connect_to(const struct proc *p)
{
	char dir[DIRS_MAX][PATH_SPACE + 16];
	unsigned n = dirs(p, dir);

	for (unsigned i = 0; i < n; i++) {
		int fd = connect_in(p, dir[i]);
		if (fd >= 0) return fd;
	}
	return -1;
}

/* The first descriptor that came along, -1 if none; others are closed. */
static int descriptor_of(struct msghdr *m)
{
	int kept = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (kept < 0) kept = fd;
			else close(fd);
		}
	}
	return kept;
}

/* 0 and the answer, with *fd the descriptor that came along or -1; SOCKET_NONE without a good answer. */
static int exchange(const struct proc *p, enum wire_verb verb, uint64_t value, struct wire_message *answer, int *fd)
{
	struct wire_message ask = { .version = WIRE_VERSION, .verb = verb, .value = value };
	union { struct cmsghdr align; char bytes[CMSG_SPACE(4 * sizeof(int))]; } control;
	struct iovec iov = { answer, sizeof *answer };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	int s = connect_to(p);

	*fd = -1;
	if (s < 0) return SOCKET_NONE;
	memcpy(ask.magic, WIRE_MAGIC, sizeof ask.magic);
	struct pollfd ready = { .fd = s, .events = POLLIN };
	ssize_t got = -1;
	if (send(s, &ask, sizeof ask, MSG_NOSIGNAL) == sizeof ask && poll(&ready, 1, PATIENCE_MS) == 1)
		got = recvmsg(s, &m, MSG_CMSG_CLOEXEC);
	close(s);
	if (got < 0) return SOCKET_NONE;
	*fd = descriptor_of(&m);
	if (got == sizeof *answer && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && !memcmp(answer->magic, WIRE_MAGIC, sizeof answer->magic) &&
	    answer->version == WIRE_VERSION && answer->verb == verb && answer->pid == (uint32_t)p->inner_pid)
		return 0;
	if (*fd >= 0) close(*fd);
	*fd = -1;
	return SOCKET_NONE;
}

int socket_hello(const struct proc *p)
{
	struct wire_message answer;
	int fd;

	if (exchange(p, WIRE_HELLO, 0, &answer, &fd)) return SOCKET_NONE;
	if (!answer.status && fd >= 0) return fd;
	if (fd >= 0) close(fd);
	return SOCKET_NONE;
}

int socket_order(const struct proc *p, enum wire_verb verb, uint64_t value, int *status)
{
	struct wire_message answer;
	int fd;

	if (exchange(p, verb, value, &answer, &fd)) return SOCKET_NONE;
	if (fd >= 0) close(fd);
	*status = answer.status;
	return 0;
}
