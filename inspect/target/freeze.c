/* freeze.c: see freeze.h. */
#include "inspect/target/freeze.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inspect/target/clock.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { ROUNDS = 16, PTRACE_STOP_EVENT = 128 };

struct freeze { pid_t keeper; int order, answer; };

/* What the keeper says, once when they stand and once when they run again. */
struct word { int sys; int late; double seconds; };

struct held { pid_t tid; int stopped, signal; };
struct keeper { pid_t pid; struct held *held; size_t n; double since, deadline; };

static int is_held(const struct keeper *k, pid_t tid)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->held[i].tid == tid) return 1;
	return 0;
}

/* Takes the threads that are not held yet. How many, or -1 with errno. A thread that ends meanwhile is none. */
static int seize(struct keeper *k)
{
	char path[64];
	DIR *d;
	int n = 0, sys = 0;

	snprintf(path, sizeof path, "/proc/%d/task", (int)k->pid);
	if (!(d = opendir(path))) return -1;
	for (struct dirent *de; !sys && (de = readdir(d));) {
		pid_t tid = (pid_t)atol(de->d_name);
		if (tid <= 0 || is_held(k, tid)) continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, 0)) {
			if (errno != ESRCH) sys = errno;
			continue;
		}
		if (!k->since) k->since = clock_now();
		k->held = xreallocarray(k->held, k->n + 1, sizeof *k->held);
		k->held[k->n++] = (struct held){ .tid = tid };
		ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		n++;
	}
	closedir(d);
	errno = sys;
	return sys ? -1 : n;
}

/* Waits until each held thread stands. -1 when the time is up. */
static int await_stops(struct keeper *k)
{
	for (size_t i = 0; i < k->n; i++) {
		while (!k->held[i].stopped) {
			int status;
			pid_t r = waitpid(k->held[i].tid, &status, __WALL | WNOHANG);
			if (r < 0 || (r > 0 && !WIFSTOPPED(status))) {
				k->held[i] = k->held[--k->n];   /* it has ended */
				i--;
				break;
			}
			if (r > 0) {
				k->held[i].stopped = 1;
				/* a signal that was on its way is handed on when it runs again */
				k->held[i].signal = status >> 16 == PTRACE_STOP_EVENT ? 0 : WSTOPSIG(status);
			} else {
				if (clock_now() > k->deadline) return -1;
				nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
			}
		}
	}
	return 0;
}

static int stop_all(struct keeper *k)
{
	int n = 1;

	/* running threads may make new ones until the last of them stands */
	for (unsigned round = 0; n > 0 && round < ROUNDS; round++) {
		if ((n = seize(k)) < 0) return errno;
		if (await_stops(k)) return ETIMEDOUT;
	}
	return n ? ETIMEDOUT : k->n ? 0 : ESRCH;
}

static void release(struct keeper *k)
{
	for (size_t i = 0; i < k->n; i++) ptrace(PTRACE_DETACH, k->held[i].tid, 0, (void *)(intptr_t)k->held[i].signal);
	k->n = 0;
}

/* The keeper's life. It leaves all signals of the terminal to us: our end is its order to let go. */
static void keep(pid_t pid, double most_s, int order, int answer)
{
	struct keeper k = { .pid = pid, .deadline = clock_now() + most_s };
	struct pollfd p = { .fd = order, .events = POLLIN };
	struct word w = { 0 };

	setpgid(0, 0);
	w.sys = stop_all(&k);
	if (w.sys) release(&k);
	if (write(answer, &w, sizeof w) == sizeof w && !w.sys) {
		double left = k.deadline - clock_now();
		w.late = poll(&p, 1, left > 0 ? (int)(left * 1e3) + 1 : 0) == 0;
	}
	release(&k);
	w.seconds = k.since ? clock_now() - k.since : 0;
	if (write(answer, &w, sizeof w) < 0) _exit(1);
	_exit(0);
}

static int give_up(struct freeze *f, pid_t pid, int sys, struct err *e)
{
	int late;

	freeze_end(f, &late);
	if (sys == ETIMEDOUT) return err_set(e, ERR_FAIL, "pid %d: its threads would not stand still in time (a longer --max-pause may do)", (int)pid);
	if (sys == EPERM) return err_set(e, ERR_DENIED, "pid %d: stopping its threads is not permitted (run as root, or end the debugger or strace that has it)", (int)pid);
	return err_sys(e, sys, "pid %d: stopping its threads", (int)pid);
}

int freeze_begin(pid_t pid, double most_s, struct freeze **out, struct err *e)
{
	int order[2], answer[2];
	struct word w = { .sys = ECHILD };

	if (pipe2(order, O_CLOEXEC)) return err_sys(e, errno, "pid %d: stopping its threads: a pipe", (int)pid);
	if (pipe2(answer, O_CLOEXEC)) {
		close(order[0]), close(order[1]);
		return err_sys(e, errno, "pid %d: stopping its threads: a pipe", (int)pid);
	}
	struct freeze *f = xcalloc(1, sizeof *f);
	fflush(NULL);
	f->keeper = fork();
	if (f->keeper == 0) {
		close(order[1]), close(answer[0]);
		signal(SIGPIPE, SIG_IGN);
		keep(pid, most_s, order[0], answer[1]);
	}
	close(order[0]), close(answer[1]);
	f->order = order[1];
	f->answer = answer[0];
	if (f->keeper < 0) return give_up(f, pid, EAGAIN, e);
	if (read(f->answer, &w, sizeof w) != sizeof w) w.sys = ECHILD;
	if (w.sys) return give_up(f, pid, w.sys, e);
	*out = f;
	return 0;
}

double freeze_end(struct freeze *f, int *late)
{
	struct word w = { 0 };

	close(f->order);
	if (read(f->answer, &w, sizeof w) != sizeof w) w.late = 1;
	close(f->answer);
	if (f->keeper > 0) waitpid(f->keeper, NULL, 0);
	free(f);
	*late = w.late;
	return w.seconds;
}
