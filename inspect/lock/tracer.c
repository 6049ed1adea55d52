/* tracer.c: see futextrace.h. Three events a thread: each call that waits and each that returns, into one ring; one in so many of
 * the former again with registers and stack, into a small one that may overflow at no loss to the first. What a thread sleeps in when a window begins is asked of /proc. */
#include "inspect/lock/futextrace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/perf/perf.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { ENTER, LEAVE, STACKS, EVENTS, RING_PAGES_MAX = 64, RING_PAGES = 16384, STACK_PAGES = 16, COPIES_MAX = 8, WAITS_MAX = 1 << 18, RESERVED = 64 };

/* the operations that wait, private or not, with the realtime clock or not; the kernel's filters know no mask and comparison in one */
static const char waits_only[] = "op==0||op==128||op==9||op==137||op==265||op==393||op==6||op==134||op==13||op==141||op==269||op==397||op==11||op==139||op==267||op==395";

static const unsigned event_flags[EVENTS] = { [ENTER] = PERF_RAW, [LEAVE] = PERF_RAW | PERF_ARGS, [STACKS] = PERF_RAW | PERF_STACKS };
static const uint64_t same_call_ns = 50000;     /* two records of one call are no further apart */

struct copied { uint64_t time; struct unwind_sample user; uint8_t stack[PERF_STACK]; uint64_t pc[LOCK_DEPTH_MAX]; unsigned depth, scanned; };
struct wait { uint64_t addr, op; uint32_t val; double seconds; int ended, eagain, goes_on; struct copied *copied; };

struct traced {
	pid_t tid;
	char name[16];
	int fd[EVENTS], alive, fresh;
	uint64_t id[EVENTS];
	struct perf_ring ring, stack_ring;
	uint64_t begin, from, last;     /* nanoseconds; from: 0 when it does not wait */
	int seen;                       /* it has had a record since it was opened */
	int broken;                     /* records were lost: the rest of the window is not looked at */
	uint64_t addr, op;
	uint32_t val;
	struct copied *copied;          /* of the wait that is going on */
};

/* While one ring is read. */
struct reading { struct tracer *x; struct traced *t; struct wait *wait; size_t n; double calls, waits; struct copied *copy[COPIES_MAX]; size_t ncopies; };

static uint64_t now_ns(void) { return (uint64_t)(tally_now() * 1e9); }

/* ---- the tracepoints ---- */

static int read_file(const char *dir, const char *file, char *buf, size_t n)
{
	char path[160];
	ssize_t got = -1;

	snprintf(path, sizeof path, "%s/events/syscalls/%s", dir, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -1;
	got = read(fd, buf, n - 1);
	int sys = errno;
	close(fd);
	errno = sys;
	if (got < 0) return -1;
	buf[got] = 0;
	return 0;
}

static int field(const char *format, const char *what, unsigned *offset)
{
	char key[32];
	const char *p;

	snprintf(key, sizeof key, " %s;", what);
	p = strstr(format, key);
	if (p) p = strstr(p, "offset:");
	if (!p) return -1;
	*offset = (unsigned)strtoul(p + 7, NULL, 10);
	return 0;
}

int tracer_init(struct tracer *x, const struct lock_watch *w, struct err *e)
{
	static const char *const dirs[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char text[4096], id[32];
	int sys = ENOENT;

	*x = (struct tracer){ .w = w, .descriptors = perf_descriptors() };
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		if (read_file(dirs[i], "sys_enter_futex/id", id, sizeof id)) {
			if (errno != ENOENT) sys = errno;
			continue;
		}
		x->enter = strtoul(id, NULL, 10);
		if (read_file(dirs[i], "sys_enter_futex/format", text, sizeof text) || field(text, "uaddr", &x->addr) || field(text, "op", &x->op) || field(text, "val", &x->val)) break;
		if (read_file(dirs[i], "sys_exit_futex/id", id, sizeof id) || read_file(dirs[i], "sys_exit_futex/format", text, sizeof text) || field(text, "ret", &x->ret)) break;
		x->leave = strtoul(id, NULL, 10);
		return 0;
	}
	if (x->enter) return err_set(e, ERR_UNSUPPORTED, "the futex tracepoints' format is not one that is known");
	if (sys == EACCES || sys == EPERM) return err_set(e, ERR_DENIED, "not permitted: needs CAP_PERFMON and to read /sys/kernel/tracing, or root");
	if (access("/sys/kernel/tracing/events", F_OK) && access("/sys/kernel/debug/tracing/events", F_OK))
		return err_set(e, ERR_UNSUPPORTED, "tracefs is not mounted (mount -t tracefs tracefs /sys/kernel/tracing)");
	return err_set(e, ERR_UNSUPPORTED, "this kernel has no tracepoints for system calls");
}

/* ---- threads ---- */

static void close_thread(struct traced *t)
{
	for (unsigned i = 0; i < EVENTS; i++)
		if (t->fd[i] >= 0) close(t->fd[i]);
	perf_unmap(&t->ring);
	perf_unmap(&t->stack_ring);
	free(t->copied);
	t->tid = 0;
}

static int open_thread(struct tracer *x, struct traced *t, size_t threads)
{
	size_t pages = RING_PAGES_MAX;

	for (unsigned i = 0; i < EVENTS; i++) t->fd[i] = -1;
	while (pages > 8 && pages * threads > RING_PAGES) pages /= 2;
	for (unsigned i = 0; i < EVENTS; i++) {
		struct perf_event_attr a;
		perf_attr(&a, event_flags[i]);
		a.type = PERF_TYPE_TRACEPOINT;
		a.config = i == LEAVE ? x->leave : x->enter;
		a.sample_period = i == STACKS ? (uint64_t)x->period : 1;
		if ((t->fd[i] = perf_open(&a, t->tid)) < 0) return -1;
		ioctl(t->fd[i], PERF_EVENT_IOC_SET_FILTER, i == LEAVE ? "ret<=0" : waits_only);
		t->id[i] = perf_id(t->fd[i]);
		if (i == ENTER && perf_map(&t->ring, t->fd[i], pages) && perf_map(&t->ring, t->fd[i], 8)) return -1;
		if (i == LEAVE && ioctl(t->fd[i], PERF_EVENT_IOC_SET_OUTPUT, t->fd[ENTER])) return -1;
		if (i == STACKS && perf_map(&t->stack_ring, t->fd[i], pages < STACK_PAGES ? 4 : STACK_PAGES)) return -1;
	}
	proc_thread_name(x->w->t->pid, t->tid, t->name);
	t->fresh = t->alive = 1;
	return 0;
}

/* What it sleeps in now. Taken back when its first record says that it began to wait later. */
static void ask(struct tracer *x, struct traced *t)
{
	char path[64], buf[256], *p = buf;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", (int)x->w->t->pid, (int)t->tid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return;
	n = read(fd, buf, sizeof buf - 1);
	close(fd);
	if (n <= 0 || *buf < '0' || *buf > '9') return;
	buf[n] = 0;
	if (strtoull(p, &p, 10) != SYS_futex) return;
	t->addr = strtoull(p, &p, 16);
	t->op = strtoull(p, &p, 16);
	t->val = (uint32_t)strtoull(p, &p, 16);
	if (tally_is_wait(t->op)) t->from = t->begin;
}

static void enable(struct tracer *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct traced *t = &x->thread[i];
		if (!t->fresh) continue;
		for (unsigned k = 0; k < EVENTS; k++) ioctl(t->fd[k], PERF_EVENT_IOC_ENABLE, 0);
		t->begin = t->last = now_ns();
		ask(x, t);
		t->fresh = 0;
	}
}

static int add(struct tracer *x, pid_t tid, size_t expected, struct err *e)
{
	if ((x->n + 1) * EVENTS + RESERVED > x->descriptors) {
		x->left_out++;
		return 0;
	}
	if (!(x->n & (x->n - 1))) x->thread = xreallocarray(x->thread, x->n ? 2 * x->n : 1, sizeof *x->thread);
	struct traced *t = &x->thread[x->n];
	*t = (struct traced){ .tid = tid };
	if (!open_thread(x, t, expected)) {
		x->n++;
		return 0;
	}
	int sys = errno;
	close_thread(t);
	if (sys == ESRCH) return 0;             /* it has just ended */
	if (x->n && (sys == EMFILE || sys == ENFILE || sys == ENOMEM || sys == EPERM)) {        /* EPERM of a mapping: too much locked memory */
		x->left_out++;
		return 0;
	}
	return perf_error(e, sys, "tracing futex calls");
}

static struct traced *known(struct tracer *x, size_t n, pid_t tid)
{
	for (size_t i = 0; i < n; i++)
		if (x->thread[i].tid == tid) return &x->thread[i];
	return NULL;
}

static void drop_gone(struct tracer *x)
{
	for (size_t i = 0; i < x->n;) {
		if (x->thread[i].alive) {
			i++;
			continue;
		}
		close_thread(&x->thread[i]);
		x->thread[i] = x->thread[--x->n];
	}
}

int tracer_open(struct tracer *x, unsigned period, struct err *e)
{
	char path[64];
	size_t had = x->n, expected = x->w->t->nthreads;
	uint64_t new_period = period;
	int bad = 0;

	if (had && tally_now() - x->opened < 0.1) return 0;
	x->opened = tally_now();
	for (size_t i = 0; i < had; i++) {
		x->thread[i].alive = 0;
		if (period > 2 * x->period || period < x->period / 2) ioctl(x->thread[i].fd[STACKS], PERF_EVENT_IOC_PERIOD, &new_period);
	}
	if (!had || period > 2 * x->period || period < x->period / 2) x->period = period;
	x->left_out = 0;
	snprintf(path, sizeof path, "/proc/%d/task", (int)x->w->t->pid);
	DIR *d = opendir(path);
	if (!d) return err_sys(e, errno, "pid %d: listing its threads", (int)x->w->t->pid);
	for (struct dirent *de; !bad && (de = readdir(d));) {
		pid_t tid = (pid_t)strtol(de->d_name, NULL, 10);
		struct traced *t = tid > 0 ? known(x, had, tid) : NULL;
		if (t) t->alive = 1;
		else if (tid > 0) bad = add(x, tid, expected, e);
	}
	closedir(d);
	drop_gone(x);
	if (!bad) enable(x);
	return bad;
}

void tracer_close(struct tracer *x)
{
	for (size_t i = 0; i < x->n; i++) close_thread(&x->thread[i]);
	free(x->thread);
	x->thread = NULL;
	x->n = 0;
}

/* ---- one window ---- */

static struct wait *push(struct reading *r)
{
	if (r->n == WAITS_MAX) return NULL;
	if (!(r->n & (r->n - 1))) r->wait = xreallocarray(r->wait, r->n ? 2 * r->n : 1, sizeof *r->wait);
	return &r->wait[r->n++];
}

/* goes_on: into the next window; the copied stack stays with the thread. */
static void end_wait(struct reading *r, uint64_t at, int ended, int eagain, int goes_on)
{
	struct traced *t = r->t;
	struct wait *v;

	if (!t->from) return;
	v = at >= t->from ? push(r) : NULL;
	if (v) *v = (struct wait){ t->addr, t->op, t->val, (double)(at - t->from) * 1e-9, ended, eagain, goes_on, t->copied };
	if (goes_on) {
		t->from = at;
		return;
	}
	if (!v) free(t->copied);
	t->copied = NULL;
	t->from = 0;
}

static uint64_t raw_word(const struct perf_sample *s, unsigned offset)
{
	uint64_t v = 0;

	if (offset + sizeof v <= s->nraw) memcpy(&v, s->raw + offset, sizeof v);
	return v;
}

static void begin_wait(struct reading *r, const struct perf_sample *s)
{
	struct traced *t = r->t;

	free(t->copied);                /* what /proc said was of a later moment, or the return was lost */
	t->copied = NULL;
	t->from = s->time_ns;
	t->addr = raw_word(s, r->x->addr);
	t->op = raw_word(s, r->x->op);
	t->val = (uint32_t)raw_word(s, r->x->val);
}

/* Of the ring of stacks. */
static void on_copy(void *arg, const struct perf_sample *s)
{
	struct reading *r = arg;

	if (!s->has_regs || s->user.n > PERF_STACK || r->ncopies == COPIES_MAX) return;
	struct copied *c = r->copy[r->ncopies++] = xmalloc(sizeof *c);
	c->time = s->time_ns;
	c->depth = 0;
	c->user = s->user;
	c->user.stack = c->stack;
	if (s->user.n) memcpy(c->stack, s->user.stack, s->user.n);
}

static void on_lost_copy(void *arg, uint64_t n) { (void)arg, (void)n; }

static struct copied *copy_of(struct reading *r, uint64_t time)
{
	for (size_t i = 0; i < r->ncopies; i++) {
		struct copied *c = r->copy[i];
		if (!c || (c->time > time ? c->time - time : time - c->time) > same_call_ns) continue;
		r->copy[i] = NULL;
		return c;
	}
	return NULL;
}

static void on_sample(void *arg, const struct perf_sample *s)
{
	struct reading *r = arg;
	struct traced *t = r->t;

	if (t->broken) return;
	t->last = s->time_ns;
	r->calls++;
	if (s->id == t->id[LEAVE]) {
		int64_t ret = (int64_t)raw_word(s, r->x->ret);
		if (!s->has_args || !tally_is_wait(s->arg[1])) return;
		if (!t->from && !t->seen) {     /* it was in there when the window began, woken perhaps: /proc could not tell */
			t->from = t->begin;
			t->addr = s->arg[0];
			t->op = s->arg[1];
			t->val = (uint32_t)s->arg[2];
		}
		t->seen = 1;
		if (t->from) end_wait(r, s->time_ns, 1, ret == -EAGAIN, 0);
		return;
	}
	t->seen = 1;
	begin_wait(r, s);
	t->copied = copy_of(r, s->time_ns);
	r->waits++;
}

static void on_lost(void *arg, uint64_t n)
{
	struct reading *r = arg;

	r->x->lost += n;
	r->t->broken = 1;
}

static unsigned flags_of(void *arg, uint64_t id)
{
	const struct reading *r = arg;

	for (unsigned i = 0; i < EVENTS; i++)
		if (id == r->t->id[i]) return event_flags[i];
	return 0;
}

static void emit(struct reading *r, double scale, void (*waited)(void *arg, const struct traced_wait *v), void *arg)
{
	for (size_t i = 0; i < r->n; i++) {
		struct wait *v = &r->wait[i];
		struct copied *c = v->copied;
		struct traced_wait out = { .addr = v->addr, .op = v->op, .val = v->val, .tid = r->t->tid, .thread = r->t->name, .seconds = v->seconds, .scale = scale,
		                           .ended = v->ended, .eagain = v->eagain, .period = r->x->period };
		if (c && !c->depth) {
			struct unwound u = unwind_stack(r->x->w->unwinder, &c->user, c->pc, LOCK_DEPTH_MAX);
			c->depth = u.n;
			c->scanned = u.scanned;
		}
		if (c) {
			out.pc = c->pc;
			out.depth = c->depth;
			out.scanned = c->scanned;
		}
		waited(arg, &out);
		if (!v->goes_on) free(c);
	}
}

/* How much of the window was seen of this thread: the rest is taken to be like it. */
static double scale_of(const struct traced *t, uint64_t end, double length)
{
	uint64_t seen = (t->broken ? t->last : end) - t->begin;

	return seen > 0 && (double)seen * 1e-9 < length ? length / ((double)seen * 1e-9) : 1;
}

double tracer_take(struct tracer *x, int off, void (*waited)(void *arg, const struct traced_wait *v), void *arg)
{
	static const struct perf_reader callbacks = { .sample = on_sample, .lost = on_lost };
	uint64_t end, first = UINT64_MAX;
	double length;

	x->calls = x->waits = 0;
	x->lost = 0;
	for (size_t i = 0; i < x->n; i++) {
		for (unsigned k = 0; off && k < EVENTS; k++) ioctl(x->thread[i].fd[k], PERF_EVENT_IOC_DISABLE, 0);
		if (x->thread[i].begin < first) first = x->thread[i].begin;
	}
	end = now_ns();
	if (!x->n || end <= first) return 0;
	length = (double)(end - first) * 1e-9;
	for (size_t i = 0; i < x->n; i++) {
		struct reading r = { .x = x, .t = &x->thread[i] };
		struct perf_reader reader = callbacks;
		reader.arg = &r;
		struct perf_reader copies = { .sample = on_copy, .lost = on_lost_copy, .arg = &r };
		perf_drain(&r.t->stack_ring, flags_of, &copies);
		perf_drain(&r.t->ring, flags_of, &reader);
		for (size_t k = 0; k < r.ncopies; k++) free(r.copy[k]);
		if (r.t->last > end) end = r.t->last;
		end_wait(&r, r.t->broken ? r.t->last : end, 0, 0, !off && !r.t->broken);
		double scale = scale_of(r.t, end, length);
		emit(&r, scale, waited, arg);
		x->calls += r.calls * scale;
		x->waits += r.waits * scale;
		free(r.wait);
		r.t->begin = r.t->last = end;
		r.t->broken = 0;
	}
	return length;
}
