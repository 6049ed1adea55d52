/* session.c: see session.h. */
#include "inspect/attach/session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/attach/remote.h"
#include "inspect/attach/step.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

enum { WIPEONFORK = 18 };
static const double patience_s = 0.025, patience_max_s = 0.25;

int session_open(struct session *s, pid_t pid, const struct target *t, const uint64_t *room, size_t rooms, unsigned try, struct err *e)
{
	double patience = try < 4 ? patience_s * (1 << try) : patience_max_s;
	char path[64];

	*s = (struct session){ .pid = pid, .mem = -1, .target = t, .room = room, .rooms = rooms };
	if (step("stop", e) || seize_all(&s->seize, pid, patience, e) || step("stopped", e)) return -1;
	/* not before: no other program can take its place now */
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	s->mem = open(path, O_RDWR | O_CLOEXEC);
	if (s->mem < 0) return err_sys(e, errno, "pid %d: writing its memory", (int)pid);
	pid_t pending = remote_pending(&s->seize, room, rooms, s->mem);
	if (!pending) return 0;
	return err_set(e, ERR_FAIL, "pid %d: thread %d has not come back yet from what a killed alloctop made it do: try again", (int)pid, (int)pending);
}

double session_close(struct session *s)
{
	struct err unimportant;

	remote_close(s->remote, &unimportant);
	s->remote = NULL;
	step("go", &unimportant);
	double stood = seize_release(&s->seize);
	if (s->mem >= 0) close(s->mem);
	s->mem = -1;
	return stood;
}

static int call(struct session *s, long nr, const uint64_t arg[6], uint64_t *result, struct err *e)
{
	if (!s->remote && remote_open(&s->remote, &s->seize, s->target, s->room, s->rooms, s->mem, e)) return -1;
	return remote_call(s->remote, nr, arg, result, e);
}

int session_map(struct session *s, uint64_t at, uint64_t size, int prot, uint64_t *out, struct err *e)
{
	uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0);
	uint64_t arg[6] = { at, size, (uint64_t)prot, flags, -1ull, 0 };

	return step("map", e) || call(s, SYS_mmap, arg, out, e) ? -1 : 0;
}

int session_reserve(struct session *s, uint64_t at, uint64_t size, uint64_t *out, struct err *e)
{
	uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED_NOREPLACE : 0);
	uint64_t arg[6] = { at, size, PROT_READ, flags, -1ull, 0 };

	if (step("map", e) || call(s, SYS_mmap, arg, out, e)) return -1;
	if (!at || *out == at) return 0;
	/* a kernel before 4.17, which takes the address for a wish */
	return session_unmap(s, *out, size, e) ? -1 : err_sys(e, EEXIST, "pid %d: memory near its code", (int)s->pid);
}

int session_unmap(struct session *s, uint64_t at, uint64_t size, struct err *e)
{
	uint64_t arg[6] = { at, size }, result;

	return step("unmap", e) || call(s, SYS_munmap, arg, &result, e) ? -1 : 0;
}

int session_wipe_on_fork(struct session *s, uint64_t at, uint64_t size)
{
	uint64_t arg[6] = { at, size, WIPEONFORK }, result;
	struct err unimportant;

	return call(s, SYS_madvise, arg, &result, &unimportant);
}

static int failed(const struct session *s, const char *what, uint64_t at, size_t n, ssize_t r, struct err *e)
{
	if (r == 0 || errno == ESRCH) return err_set(e, ERR_GONE, "pid %d: it has exited meanwhile", (int)s->pid);
	return err_sys(e, errno, "pid %d: %s %zu bytes at 0x%llx", (int)s->pid, what, n, (unsigned long long)at);
}

int session_write(struct session *s, uint64_t at, const void *bytes, size_t n, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pwrite(s->mem, (const char *)bytes + done, n - done, (off_t)(at + done));
		if (r <= 0) return failed(s, "writing", at, n, r, e);
		done += (size_t)r;
	}
	return 0;
}

int session_read(struct session *s, uint64_t at, void *bytes, size_t n, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(s->mem, (char *)bytes + done, n - done, (off_t)(at + done));
		if (r <= 0) return failed(s, "reading", at, n, r, e);
		done += (size_t)r;
	}
	return 0;
}

size_t session_read_spans(struct session *s, const struct mem_span *span, size_t n)
{
	ssize_t done = s->one_by_one ? 0 : mem_read_spans(s->pid, span, n);
	struct err unimportant;

	s->one_by_one |= done < 0;
	if (done > 0) return (size_t)done;
	return n && !session_read(s, span->addr, span->bytes, span->n, &unimportant);
}

size_t session_write_spans(struct session *s, const struct mem_span *span, size_t n, struct err *e)
{
	ssize_t done = s->one_by_one ? 0 : mem_write_spans(s->pid, span, n);

	s->one_by_one |= done < 0;
	if (done > 0) return (size_t)done;
	return n && !session_write(s, span->addr, span->bytes, span->n, e);
}

int session_write_home(struct session *s, struct err *e)
{
	return step("home", e) ? -1 : session_write(s, s->home_addr, &s->home, sizeof s->home, e);
}

struct job { void (*work)(void *); void *arg; };

/* The process stands still for as long as we take: be quick, where that is permitted. Each thread that is asked to stop, or let go, wakes up and would
   take our turn: at the end the last ones stand while the first ones run. */
static void *start(void *arg)
{
	struct job *j = arg;

	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 })) setpriority(PRIO_PROCESS, (id_t)gettid(), -20);
	prctl(PR_SET_TIMERSLACK, 1UL, 0, 0, 0);
	j->work(j->arg);
	return NULL;
}

/* A ^C comes when it is over. */
int session_run(void (*work)(void *arg), void *arg)
{
	struct job j = { work, arg };
	pthread_t thread;
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	int bad = pthread_create(&thread, NULL, start, &j);
	if (!bad) pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return bad ? -1 : 0;
}
