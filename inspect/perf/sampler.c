/* sampler.c: see sampler.h. */
#include "inspect/perf/sampler.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { RING_PAGES = 512, RING_PAGES_MIN = 8, RINGS_PAGES = 16384, RESERVED = 64 };

struct opened { int fd; uint32_t event; uint64_t id; };
struct ring { struct perf_ring ring; int fd; };

struct sampler {
	pid_t pid;
	struct event *event; size_t n;
	struct sampler_options o;
	struct opened *opened; size_t nopened;
	uint8_t had[EVENTS_MAX];        /* it could be opened once: so it is there */
	struct opened *by_id;           /* sorted by id, made when all are there */
	struct ring *ring; unsigned ncpus;
	size_t descriptors;
	unsigned threads, left_out;
	int inherits;
};

static struct perf_event_attr attr_of(const struct sampler *s, size_t i)
{
	struct perf_event_attr a;
	const struct event *ev = &s->event[i];

	perf_attr(&a, PERF_WHERE | PERF_STACKS);
	a.type = ev->attr.type;
	a.config = ev->attr.config;
	a.config1 = ev->attr.config1;
	a.config2 = ev->attr.config2;
	a.exclude_user = ev->attr.exclude_user;
	a.exclude_kernel = ev->attr.exclude_kernel || ev->user_only;
	a.exclude_hv = ev->attr.exclude_hv;
	a.freq = 1;
	a.sample_freq = (uint64_t)(s->o.hz > 1 ? s->o.hz : 1);
	a.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
	a.inherit = a.inherit_thread = s->inherits != 0;
	a.enable_on_exec = s->o.on_exec != 0;
	a.mmap = a.mmap2 = a.comm = a.comm_exec = a.task = 1;
	a.watermark = 1;
	a.wakeup_watermark = 64 << 10;
	return a;
}

/* What happens in the kernel alone: without it there would be nothing but zeros. */
static int is_kernels(const struct event *ev)
{
	return ev->attr.type == PERF_TYPE_TRACEPOINT ||
	       (ev->attr.type == PERF_TYPE_SOFTWARE && (ev->attr.config == PERF_COUNT_SW_CONTEXT_SWITCHES || ev->attr.config == PERF_COUNT_SW_CPU_MIGRATIONS));
}

/* Some kernels, and some users, get less than was asked for. */
static int open_one(struct sampler *s, size_t i, pid_t tid, int cpu)
{
	struct event *ev = &s->event[i];

	for (int tries = 0; tries < 3; tries++) {
		struct perf_event_attr a = attr_of(s, i);
		int fd = perf_open_on(&a, tid, cpu);
		if (fd >= 0) return fd;
		if ((errno == EACCES || errno == EPERM) && !a.exclude_kernel && !a.exclude_user && !is_kernels(ev)) ev->user_only = 1;
		else if ((errno == EINVAL || errno == E2BIG) && s->inherits && !s->nopened) s->inherits = 0;
		else return -1;
	}
	return -1;
}

static int map_ring(struct sampler *s, struct ring *r, int fd)
{
	size_t pages = RING_PAGES;

	while (pages > RING_PAGES_MIN && pages * s->ncpus > RINGS_PAGES) pages /= 2;
	for (; pages >= RING_PAGES_MIN; pages /= 2) {
		if (perf_map(&r->ring, fd, pages)) continue;
		r->fd = fd;
		return 0;
	}
	return -1;
}

/* The events of one thread on one processor. 0, or an errno. ENODEV: the processor is off. */
static int open_on(struct sampler *s, pid_t tid, unsigned cpu)
{
	struct ring *r = &s->ring[cpu];
	unsigned good = 0;
	int sys = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->event[i].refused) continue;
		int fd = open_one(s, i, tid, (int)cpu);
		if (fd < 0 && errno == ENODEV && (!s->event[i].hardware || s->had[i])) return ENODEV;
		if (fd < 0 && (s->had[i] || errno == ESRCH || errno == EMFILE || errno == ENFILE || errno == ENOMEM)) return errno;
		if (fd < 0) {
			s->event[i].refused = sys = errno;
			continue;
		}
		if (r->fd >= 0 ? ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, r->fd) : map_ring(s, r, fd)) {
			sys = errno;
			close(fd);
			return sys;
		}
		if (!(s->nopened & (s->nopened - 1))) s->opened = xreallocarray(s->opened, s->nopened ? 2 * s->nopened : 1, sizeof *s->opened);
		s->had[i] = 1;
		s->opened[s->nopened++] = (struct opened){ fd, (uint32_t)i, perf_id(fd) };
		good++;
	}
	return good ? 0 : sys;
}

static int open_thread(struct sampler *s, pid_t tid)
{
	int sys = 0;
	unsigned good = 0;

	if (s->nopened + s->n * s->ncpus + RESERVED > s->descriptors) return EMFILE;
	for (unsigned cpu = 0; cpu < s->ncpus; cpu++) {
		int r = open_on(s, tid, cpu);
		if (r == ENODEV) continue;
		if (r) sys = r;
		else good++;
		if (sys) break;
	}
	if (!sys && good) s->threads++;
	return sys;
}

static int refuse(const struct sampler *s, int sys, struct err *e)
{
	char what[64];

	if (sys == ENOENT || sys == EOPNOTSUPP || sys == ENODEV || sys == EINVAL) return err_set(e, ERR_UNSUPPORTED, "pid %d: this machine counts none of the events asked for", (int)s->pid);
	if (sys == ESRCH) return err_set(e, ERR_GONE, "pid %d: no such process", (int)s->pid);
	snprintf(what, sizeof what, "pid %d: sampling", (int)s->pid);
	return perf_error(e, sys, what);
}

/* A thread that one of ours begins meanwhile is inherited. */
static int open_threads(struct sampler *s, struct err *e)
{
	char path[64];
	int sys = 0, bad = 0;

	if (s->o.on_exec) {
		sys = open_thread(s, s->pid);
		return sys ? refuse(s, sys, e) : 0;
	}
	snprintf(path, sizeof path, "/proc/%d/task", (int)s->pid);
	DIR *d = opendir(path);
	if (!d) return err_sys(e, errno, "pid %d: listing its threads", (int)s->pid);
	for (struct dirent *de; !bad && (de = readdir(d));) {
		pid_t tid = (pid_t)strtol(de->d_name, NULL, 10);
		if (tid <= 0 || !(sys = open_thread(s, tid)) || sys == ESRCH) continue;
		if (s->threads) s->left_out++;
		else bad = refuse(s, sys, e);
	}
	closedir(d);
	if (!bad && !s->threads) return err_set(e, ERR_GONE, "pid %d: no such process", (int)s->pid);
	return bad;
}

static int by_id(const void *x, const void *y)
{
	const struct opened *a = x, *b = y;

	return (a->id > b->id) - (a->id < b->id);
}

int sampler_open(struct sampler **out, pid_t pid, struct event *event, size_t n, const struct sampler_options *o, struct err *e)
{
	struct sampler *s = xcalloc(1, sizeof *s);
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	*s = (struct sampler){ .pid = pid, .event = event, .n = n, .o = *o, .ncpus = cpus > 0 ? (unsigned)cpus : 1, .descriptors = perf_descriptors(), .inherits = 1 };
	s->ring = xcalloc(s->ncpus, sizeof *s->ring);
	for (unsigned i = 0; i < s->ncpus; i++) s->ring[i].fd = -1;
	if (open_threads(s, e)) {
		sampler_close(s);
		return -1;
	}
	s->by_id = xmalloc(s->nopened * sizeof *s->by_id);
	for (size_t i = 0; i < s->nopened; i++) s->by_id[i] = s->opened[i];
	qsort(s->by_id, s->nopened, sizeof *s->by_id, by_id);
	*out = s;
	return 0;
}

void sampler_close(struct sampler *s)
{
	if (!s) return;
	for (unsigned i = 0; i < s->ncpus; i++) perf_unmap(&s->ring[i].ring);
	for (size_t i = 0; i < s->nopened; i++) close(s->opened[i].fd);
	free(s->ring);
	free(s->opened);
	free(s->by_id);
	free(s);
}

void sampler_start(struct sampler *s)
{
	for (size_t i = 0; i < s->nopened; i++) ioctl(s->opened[i].fd, PERF_EVENT_IOC_ENABLE, 0);
}

void sampler_stop(struct sampler *s)
{
	for (size_t i = 0; i < s->nopened; i++) ioctl(s->opened[i].fd, PERF_EVENT_IOC_DISABLE, 0);
}

/* The thread that a ring came with may end: then there is no more waking for it, and looking again has to do. */
void sampler_wait(struct sampler *s, double seconds)
{
	struct pollfd *p = xcalloc(s->ncpus, sizeof *p);
	int ended = 0;

	for (unsigned i = 0; i < s->ncpus; i++) p[i] = (struct pollfd){ .fd = s->ring[i].fd, .events = POLLIN };
	poll(p, s->ncpus, 0);
	for (unsigned i = 0; i < s->ncpus; i++) {
		if (!(p[i].revents & (POLLHUP | POLLERR))) continue;
		p[i].fd = -1;
		ended = 1;
	}
	poll(p, s->ncpus, (int)(1e3 * (ended && seconds > 0.01 ? 0.01 : seconds)) + 1);
	free(p);
}

/* ---- records ---- */

struct draining { struct sampler *s; const struct sampler_calls *calls; };

static unsigned flags_of(void *arg, uint64_t id)
{
	(void)arg, (void)id;
	return PERF_WHERE | PERF_STACKS;
}

static void on_sample(void *arg, const struct perf_sample *sample)
{
	const struct draining *d = arg;
	struct opened key = { .id = sample->id };
	const struct opened *o = bsearch(&key, d->s->by_id, d->s->nopened, sizeof key, by_id);

	if (o) d->calls->sample(d->calls->arg, o->event, sample);
}

static void on_lost(void *arg, uint64_t n)
{
	const struct draining *d = arg;

	d->calls->lost(d->calls->arg, n);
}

static void on_record(void *arg, const struct perf_event_header *h, const uint8_t *record)
{
	const struct draining *d = arg;
	struct { struct perf_event_header header; uint32_t pid, ppid, tid, ptid; } task;

	if (h->type == PERF_RECORD_MMAP2) d->calls->mapped(d->calls->arg);
	if (h->type == PERF_RECORD_COMM && h->misc & PERF_RECORD_MISC_COMM_EXEC) d->calls->executed(d->calls->arg);
	if (h->type != PERF_RECORD_FORK || h->size < sizeof task) return;
	memcpy(&task, record, sizeof task);
	if (task.pid != task.ppid) d->calls->forked(d->calls->arg);
}

void sampler_drain(struct sampler *s, const struct sampler_calls *calls)
{
	struct draining d = { s, calls };
	struct perf_reader reader = { .sample = on_sample, .lost = on_lost, .record = on_record, .arg = &d };

	for (unsigned i = 0; i < s->ncpus; i++)
		if (s->ring[i].fd >= 0) perf_drain(&s->ring[i].ring, flags_of, &reader);
}

/* Each of a thread's events is enabled all the time that the thread runs, but can only count on its own processor: together they should have
   run as long as one of them was enabled. If they did not, the processor had fewer counters than were asked for. */
void sampler_read(struct sampler *s)
{
	double enabled[EVENTS_MAX] = { 0 }, running[EVENTS_MAX] = { 0 }, events[EVENTS_MAX] = { 0 };

	for (size_t i = 0; i < s->n; i++) s->event[i].count = 0;
	for (size_t i = 0; i < s->nopened; i++) {
		uint64_t v[3] = { 0 };
		struct opened *o = &s->opened[i];
		if (read(o->fd, v, sizeof v) != sizeof v) continue;
		s->event[o->event].count += (double)v[0];
		enabled[o->event] += (double)v[1];
		running[o->event] += (double)v[2];
		events[o->event]++;
	}
	for (size_t i = 0; i < s->n; i++) {
		double should = s->threads ? enabled[i] * s->threads / events[i] : 0;
		s->event[i].counted = s->event[i].hardware && running[i] > 0 && running[i] < should ? running[i] / should : 1;
		s->event[i].count /= s->event[i].counted;
	}
}

unsigned sampler_threads(const struct sampler *s) { return s->threads; }
unsigned sampler_left_out(const struct sampler *s) { return s->left_out; }
int sampler_inherits(const struct sampler *s) { return s->inherits; }
