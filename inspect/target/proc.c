/* proc.c: reads /proc/PID. See proc.h. All files of one process are opened below one directory descriptor, so that they speak of
 * the same process even when the PID is used again meanwhile. */
#include "inspect/target/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

/* Up to cap - 1 bytes of a file, terminated. -1 with errno. */
static ssize_t slurp(int dir, const char *name, char *buf, size_t cap)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	size_t n = 0;
	ssize_t r;
	while (n < cap - 1 && ((r = read(fd, buf + n, cap - 1 - n)) > 0 || (r < 0 && errno == EINTR)))
		if (r > 0) n += (size_t)r;
	int sys = errno;
	close(fd);
	errno = sys;
	buf[n] = 0;
	return n || r == 0 ? (ssize_t)n : -1;
}

/* Names are the process's own choice: they must not drive a terminal. */
static void printable(char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f) s[i] = '?';
}

/* "412 (name with ) in it) S 1 …": the name ends at the last parenthesis. */
static int read_stat(struct proc *p, int dir, const char *path)
{
	char buf[2048];
	unsigned long long start, vsize, stack;
	long threads, rss;
	int ppid;
	if (slurp(dir, path, buf, sizeof buf) < 0) return -1;
	char *open = strchr(buf, '('), *close = strrchr(buf, ')');
	errno = ESRCH;
	if (!open || !close || close < open) return -1;
	/* fields 3 state, 4 ppid, 20 threads, 22 start, 23 vsize, 24 rss, 28 start of the stack */
	if (sscanf(close + 1, " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld %*s %llu %llu %ld %*s %*s %*s %llu",
	           &p->state, &ppid, &threads, &start, &vsize, &rss, &stack) != 7)
		return -1;
	*close = 0;
	snprintf(p->comm, sizeof p->comm, "%.15s", open + 1);
	printable(p->comm, strlen(p->comm));
	p->ppid = ppid;
	p->threads = threads > 0 ? (unsigned)threads : 0;
	p->start_ticks = start;
	p->stack_start = stack;
	p->vm_bytes = vsize;
	p->rss_bytes = rss > 0 ? (uint64_t)rss * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
	return 0;
}

static int read_status(struct proc *p, int dir)
{
	char buf[8192];
	unsigned uid;
	if (slurp(dir, "status", buf, sizeof buf) < 0) return -1;
	char *s = strstr(buf, "\nUid:");
	if (s && sscanf(s + 5, "%*u %u", &uid) == 1) p->uid = uid;
	s = strstr(buf, "\nNSpid:");
	for (s = s ? s + 7 : NULL; s && *s && *s != '\n';) {
		char *end;
		long v = strtol(s, &end, 10);
		if (end == s) break;
		p->inner_pid = (pid_t)v;
		s = end;
	}
	return 0;
}

static void read_cmdline(struct proc *p, int dir)
{
	ssize_t n = slurp(dir, "cmdline", p->cmdline, sizeof p->cmdline);
	while (n > 0 && !p->cmdline[n - 1]) n--;
	if (n <= 0) {
		snprintf(p->cmdline, sizeof p->cmdline, "[%s]", p->comm);
		return;
	}
	for (ssize_t i = 0; i < n; i++)
		if (!p->cmdline[i]) p->cmdline[i] = ' ';
	printable(p->cmdline, (size_t)n);
}

static void read_exe(struct proc *p, int dir)
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlinkat(dir, "exe", p->exe, sizeof p->exe - 1);
	if (n < 0) n = 0;
	p->exe[n] = 0;
	size_t cut = sizeof gone - 1;
	if ((size_t)n > cut && !strcmp(p->exe + n - cut, gone)) p->exe[(size_t)n - cut] = 0;
}

int proc_read(struct proc *p, pid_t pid, struct err *e)
{
	char path[32];
	*p = (struct proc){.pid = pid, .inner_pid = pid};
	snprintf(path, sizeof path, "/proc/%d", (int)pid);
	int dir = pid > 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : (errno = ESRCH, -1);
	if (dir >= 0 && !read_stat(p, dir, "stat") && !read_status(p, dir)) {
		struct timespec now;
		read_cmdline(p, dir);
		read_exe(p, dir);
		close(dir);
		clock_gettime(CLOCK_BOOTTIME, &now);
		p->uptime_s = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - (double)p->start_ticks / (double)sysconf(_SC_CLK_TCK);
		if (p->uptime_s < 0) p->uptime_s = 0;
		return 0;
	}
	int sys = errno;
	if (dir >= 0) close(dir);
	if (sys == ENOENT || sys == ESRCH) return err_set(e, ERR_GONE, "pid %d: no such process", (int)pid);
	return err_sys(e, sys, "pid %d: reading what /proc says of it", (int)pid);
}

const char *proc_label(pid_t pid, pid_t inner, char buf[PROC_LABEL])
{
	if (inner && inner != pid) snprintf(buf, PROC_LABEL, "pid %d (%d inside)", (int)pid, (int)inner);
	else snprintf(buf, PROC_LABEL, "pid %d", (int)pid);
	return buf;
}

int proc_again(struct proc *p)
{
	struct proc now = *p;
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
	if (read_stat(&now, AT_FDCWD, path) || now.start_ticks != p->start_ticks || now.stack_start != p->stack_start) return -1;
	*p = now;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	return (x > y) - (x < y);
}

int proc_check(struct err *e)
{
	char self[32];
	ssize_t n = readlink("/proc/self", self, sizeof self - 1);

	self[n > 0 ? n : 0] = 0;
	if (n > 0 && strtol(self, NULL, 10) == getpid()) return 0;
	if (access("/proc/stat", F_OK)) return err_set(e, ERR_UNSUPPORTED, "/proc is not mounted (mount -t proc proc /proc)");
	return err_set(e, ERR_UNSUPPORTED, "/proc shows the processes of another PID namespace than the one alloctop runs in "
	               "(mount -t proc proc /proc; or unshare --mount-proc)");
}

int proc_each(int (*fn)(pid_t pid, void *arg), void *arg, struct err *e)
{
	if (proc_check(e)) return -1;
	DIR *d = opendir("/proc");
	if (!d) return err_sys(e, errno, "listing processes in /proc");
	pid_t *pids = NULL;
	size_t n = 0, cap = 0;
	for (struct dirent *de; (de = readdir(d));) {
		char *end;
		long v = strtol(de->d_name, &end, 10);
		if (*end || v <= 0 || v > INT32_MAX) continue;
		if (n == cap) {
			cap = cap ? cap * 2 : 256;
			pids = xreallocarray(pids, cap, sizeof *pids);
		}
		pids[n++] = (pid_t)v;
	}
	closedir(d);
	if (n) qsort(pids, n, sizeof *pids, by_number);
	int r = 0;
	for (size_t i = 0; i < n && !r; i++) r = fn(pids[i], arg);
	free(pids);
	return r;
}

void proc_thread_name(pid_t pid, pid_t tid, char name[16])
{
	char path[64], buf[32];
	snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)pid, (int)tid);
	name[0] = 0;
	if (slurp(AT_FDCWD, path, buf, sizeof buf) < 0) return;
	buf[strcspn(buf, "\n")] = 0;
	snprintf(name, 16, "%.15s", buf);
	printable(name, strlen(name));
}
