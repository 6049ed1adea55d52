/* seize.c: see seize.h. Each thread is brought to PTRACE_EVENT_STOP: it stands in the kernel's signal code then, before any signal is
 * taken from the queue, and where it is decided whether a system call is begun again. A thread that meets us while it is given a
 * signal takes it first: its handler's frame is made, and it stops before the handler's first instruction. */
#include "inspect/attach/seize.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inspect/target/clock.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/xalloc.h"

enum { ROUNDS = 64, EVENT_STOP = 128, OTHER_WAITS = 50 };
static const double late_s = 1;

/* A field of /proc/PID/task/TID/status (tid 0: of the process), a number or a letter; -1 when there is none. */
static long status_field(pid_t pid, pid_t tid, const char *name)
{
	char path[64], line[256];
	size_t n = strlen(name);
	long v = -1;

	if (tid) snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
	else snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && v < 0 && fgets(line, sizeof line, f)) {
		if (strncmp(line, name, n) || line[n] != ':') continue;
		const char *p = line + n + 1 + strspn(line + n + 1, " \t");
		v = *p >= '0' && *p <= '9' ? strtol(p, NULL, 10) : *p;
	}
	if (f) fclose(f);
	return v;
}

pid_t seize_tracer(pid_t pid, char name[16])
{
	for (unsigned i = 0;; i++) {
		long tracer = status_field(pid, 0, "TracerPid");
		*name = 0;
		if (tracer <= 0) return 0;
		proc_thread_name((pid_t)tracer, (pid_t)tracer, name);
		if (i == OTHER_WAITS || (*name && strcmp(name, "alloctop"))) return (pid_t)tracer;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

/* Asks often at first; later as often as lets the thread have the processor that it needs to come to its stop. */
int seize_await(pid_t tid, double patience_s, int *status)
{
	double since = clock_now();

	for (unsigned spin = 0;; spin++) {
		pid_t r = waitpid(tid, status, __WALL | WNOHANG);
		if (r == tid && WIFSTOPPED(*status)) return 0;
		if (r == tid || (r < 0 && errno != EINTR)) {
			errno = ESRCH;
			return -1;
		}
		double waited = clock_now() - since;
		if (waited > patience_s) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (spin > 50) nanosleep(&(struct timespec){ .tv_nsec = waited > 80e-6 ? (waited < 4e-3 ? (long)(waited * 1e9 / 8) : 500000) : 10000 }, NULL);
	}
}

/* They are listed in the same order each time: looked for from behind the last one on. */
static int is_held(const struct seize *s, pid_t tid, size_t *last)
{
	for (size_t i = 0; i < s->n; i++) {
		size_t k = (*last + 1 + i) % s->n;
		if (s->thread[k].tid != tid) continue;
		*last = k;
		return 1;
	}
	return 0;
}

/* 0: it can be stopped; else the reason: ESRCH when it has ended, be it that its last remains are still there (a main thread that left first). */
static int take(struct seize *s, pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL)) {
		int sys = errno;
		long state = sys == EPERM ? status_field(s->pid, tid, "State") : 0;
		return state == 'Z' || state == 'X' || (sys == EPERM && state < 0) ? ESRCH : sys;
	}
	if (!(s->n & (s->n - 1))) s->thread = xreallocarray(s->thread, s->n ? 2 * s->n : 1, sizeof *s->thread);
	s->thread[s->n++] = (struct seized){ .tid = tid };
	return 0;
}

/* All that are there and not held yet (at most `most`) are asked to stop. How many, or -1 with errno. */
static int ask_all(struct seize *s, size_t most)
{
	char path[64];
	size_t first = s->n, last = s->n - 1;
	int n = 0, sys = 0;

	snprintf(path, sizeof path, "/proc/%d/task", (int)s->pid);
	DIR *d = opendir(path);
	if (!d) return -1;
	for (struct dirent *de; !sys && s->n < most && (de = readdir(d));) {
		pid_t tid = (pid_t)atol(de->d_name);
		if (tid <= 0 || is_held(s, tid, &last)) continue;
		sys = take(s, tid);
		if (sys == ESRCH) sys = 0;
		else n++;
	}
	closedir(d);
	if (!s->since) s->since = clock_now();
	for (size_t i = first; i < s->n; i++) ptrace(PTRACE_INTERRUPT, s->thread[i].tid, NULL, NULL);
	errno = sys;
	return sys ? -1 : n;
}

/* Until it stands where seize.h says. 0, or -1 with errno. */
static int await_standing(struct seized *t, double until)
{
	int status;

	while (!t->standing) {
		double left = until - clock_now();
		if (seize_await(t->tid, left > 0 ? left : 0, &status)) return -1;
		if (status >> 16 == EVENT_STOP) t->standing = 1;
		else ptrace(PTRACE_CONT, t->tid, NULL, (void *)(long)WSTOPSIG(status));
	}
	seize_look(t);
	return 0;
}

static int await_all(struct seize *s, double until)
{
	for (size_t i = 0; i < s->n;) {
		if (s->thread[i].standing || !await_standing(&s->thread[i], until)) i++;
		else if (errno == ESRCH) s->thread[i] = s->thread[--s->n];
		else return -1;
	}
	return 0;
}

static int stop(struct seize *s, size_t most, double patience_s)
{
	double until = clock_now() + patience_s;
	int n = 1;

	/* running threads may make new ones until the last of them stands */
	for (unsigned round = 0; n > 0 && s->n < most && round < ROUNDS; round++) {
		if ((n = ask_all(s, most)) < 0 || await_all(s, until)) return errno;
		/* all of them stand: nobody is left who could make another. Sooner known than by listing them again */
		if (status_field(s->pid, 0, "Threads") == (long)s->n) n = 0;
	}
	if (n && s->n < most) return ETIMEDOUT;
	return s->n ? 0 : ESRCH;
}

/* One thread of it is another alloctop's, or was: its memory may be opened for writing with the very same right. */
static int was_traced(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) close(fd);
	return fd >= 0;
}

static int explain(pid_t pid, int sys, struct err *e)
{
	char name[16];
	pid_t tracer = sys == EPERM ? seize_tracer(pid, name) : 0;

	if (sys == EPERM && !tracer && was_traced(pid)) return err_set(e, ERR_FAIL, "pid %d: it was being traced just now: try again", (int)pid);
	if (tracer) return err_set(e, ERR_DENIED, "pid %d: it is being traced by %s (pid %d): end that first", (int)pid, name, (int)tracer);
	if (sys == EPERM)
		return err_set(e, ERR_DENIED, "pid %d: stopping its threads is not permitted (run as root, or as the process's user with "
		               "kernel.yama.ptrace_scope=0)", (int)pid);
	if (sys == ETIMEDOUT)
		return err_set(e, ERR_FAIL, "pid %d: some of its threads do not stop (they wait for a disk or a vfork that does not end)", (int)pid);
	if (sys == ENOENT) sys = ESRCH;
	return err_sys(e, sys, "pid %d: stopping its threads", (int)pid);
}

static int seize(struct seize *s, pid_t pid, size_t most, double patience_s, struct err *e)
{
	*s = (struct seize){ .pid = pid };
	int sys = stop(s, most, patience_s);
	if (!sys) return 0;
	seize_release(s);
	return explain(pid, sys, e);
}

int seize_all(struct seize *s, pid_t pid, double patience_s, struct err *e) { return seize(s, pid, (size_t)-1, patience_s, e); }
int seize_one(struct seize *s, pid_t pid, double patience_s, struct err *e) { return seize(s, pid, 1, patience_s, e); }

int seize_alive(const struct seize *s)
{
	siginfo_t unused;

	for (size_t i = 0; i < s->n; i++)
		if (!ptrace(PTRACE_GETSIGINFO, s->thread[i].tid, NULL, &unused)) return 1;
	return 0;
}

/* A thread that was asked, and had not stopped when it was given up, does so yet: what that ends for it is mended as well. One that cannot be
   interrupted (D: it waits for a disk, or in vfork) has nothing to mend. */
static void release_late(const struct seize *s, struct seized *t, double until)
{
	while (await_standing(t, clock_now() + late_s / 100)) {
		long state = errno == ESRCH ? 'X' : status_field(s->pid, t->tid, "State");
		if (state == 'X' || state == 'D' || clock_now() > until) return;
	}
	ptrace(PTRACE_DETACH, t->tid, NULL, NULL);
}

double seize_release(struct seize *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->thread[i].standing) ptrace(PTRACE_DETACH, s->thread[i].tid, NULL, NULL);
	double end = clock_now(), held = s->since ? end - s->since : 0;
	for (size_t i = 0; i < s->n; i++)
		if (!s->thread[i].standing) release_late(s, &s->thread[i], end + late_s);
	free(s->thread);
	*s = (struct seize){ .pid = s->pid };
	return held;
}
