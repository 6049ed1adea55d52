/* perf.c: see perf.h. Times are of CLOCK_MONOTONIC. */
#include "inspect/perf/perf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "inspect/perf/perf_regs.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { RECORD_MAX = 1 << 16 };

void perf_attr(struct perf_event_attr *a, unsigned flags)
{
	*a = (struct perf_event_attr){
		.size = sizeof *a, .disabled = 1, .use_clockid = 1, .clockid = CLOCK_MONOTONIC, .exclude_guest = 1,
		.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	};
	if (flags & PERF_WHERE) a->sample_type |= PERF_SAMPLE_IP | PERF_SAMPLE_ADDR | PERF_SAMPLE_PERIOD;
	if (flags & PERF_RAW) a->sample_type |= PERF_SAMPLE_RAW;
	if (flags & PERF_ARGS) {
		a->sample_type |= PERF_SAMPLE_REGS_USER;
		a->sample_regs_user = perf_args_mask;
	}
	if (!(flags & PERF_STACKS)) return;
	a->sample_type |= PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
	a->sample_regs_user = perf_regs_mask;
	a->sample_stack_user = PERF_STACK;
}

int perf_open(struct perf_event_attr *a, pid_t tid)
{
	return perf_open_on(a, tid, -1);
}

int perf_open_on(struct perf_event_attr *a, pid_t tid, int cpu)
{
	return (int)syscall(SYS_perf_event_open, a, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

uint64_t perf_id(int fd)
{
	uint64_t id = 0;

	return ioctl(fd, PERF_EVENT_IOC_ID, &id) ? 0 : id;
}

int perf_map(struct perf_ring *r, int fd, size_t pages)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED) return -1;
	*r = (struct perf_ring){ p, pages * page, xmalloc(RECORD_MAX) };
	return 0;
}

void perf_unmap(struct perf_ring *r)
{
	if (!r->page) return;
	munmap(r->page, r->size + (size_t)sysconf(_SC_PAGESIZE));
	free(r->record);
	*r = (struct perf_ring){ 0 };
}

/* A cursor over one record: what does not fit is zero, and ends it. */
struct cursor { const uint8_t *p; size_t left; };

static const uint8_t *advance(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (n > c->left) {
		c->left = 0;
		return NULL;
	}
	c->p += n;
	c->left -= n;
	return p;
}

static uint64_t word(struct cursor *c)
{
	const uint8_t *p = advance(c, 8);
	uint64_t v = 0;

	if (p) memcpy(&v, p, 8);
	return v;
}

static void take_user(struct cursor *c, struct perf_sample *s)
{
	uint64_t reg[PERF_REGS], n, dynamic;

	if (word(c) == PERF_SAMPLE_REGS_ABI_64) {
		for (unsigned i = 0; i < PERF_REGS; i++) reg[i] = word(c);
		s->has_regs = 1;
		for (unsigned i = 0; i < UNWIND_REGS; i++) s->user.reg[i] = reg[perf_regs_order[i]];
	}
	n = word(c);
	if (!n || !(s->user.stack = advance(c, n))) return;
	dynamic = word(c);
	s->user.n = dynamic < n ? dynamic : n;
}

static void take_sample(struct cursor c, unsigned misc, unsigned (*flags_of)(void *arg, uint64_t id), const struct perf_reader *reader)
{
	struct perf_sample s = { .id = word(&c), .kernel = (misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL };
	unsigned flags = flags_of(reader->arg, s.id);

	if (flags & PERF_WHERE) s.ip = word(&c);
	uint64_t ids = word(&c);
	s.pid = (pid_t)ids;
	s.tid = (pid_t)(ids >> 32);
	s.time_ns = word(&c);
	if (flags & PERF_WHERE) {
		s.addr = word(&c);
		s.period = word(&c);
	}
	if (flags & PERF_RAW) {
		uint32_t n = 0;
		const uint8_t *p = advance(&c, sizeof n);
		if (p) memcpy(&n, p, sizeof n);
		s.raw = advance(&c, n);
		s.nraw = s.raw ? n : 0;
	}
	if (flags & PERF_ARGS && word(&c) == PERF_SAMPLE_REGS_ABI_64) {
		uint64_t reg[3];
		for (unsigned i = 0; i < 3; i++) reg[i] = word(&c);
		for (unsigned i = 0; i < 3; i++) s.arg[i] = reg[perf_args_order[i]];
		s.has_args = 1;
	}
	if (flags & PERF_STACKS) take_user(&c, &s);
	reader->sample(reader->arg, &s);
}

void perf_drain(struct perf_ring *r, unsigned (*flags_of)(void *arg, uint64_t id), const struct perf_reader *reader)
{
	uint8_t *data = (uint8_t *)r->page + r->page->data_offset;
	uint64_t head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE), tail = r->page->data_tail;

	while (tail < head) {
		struct perf_event_header h;
		size_t at = tail % r->size;
		memcpy(&h, data + at, sizeof h);        /* records are aligned to 8, as is the ring */
		if (h.size < sizeof h || h.size > head - tail) break;
		const uint8_t *p = data + at;
		if (at + h.size > r->size) {
			memcpy(r->record, p, r->size - at);
			memcpy(r->record + (r->size - at), data, h.size - (r->size - at));
			p = r->record;
		}
		struct cursor c = { p + sizeof h, h.size - sizeof h };
		if (h.type == PERF_RECORD_SAMPLE) {
			take_sample(c, h.misc, flags_of, reader);
		} else if (h.type == PERF_RECORD_LOST) {
			word(&c);
			reader->lost(reader->arg, word(&c));
		} else if (reader->record) {
			reader->record(reader->arg, &h, p);
		}
		tail += h.size;
	}
	__atomic_store_n(&r->page->data_tail, head, __ATOMIC_RELEASE);
}

int perf_error(struct err *e, int sys, const char *what)
{
	FILE *f = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
	int level = 0, known = f && fscanf(f, "%d", &level) == 1;

	if (f) fclose(f);
	if ((sys == EACCES || sys == EPERM) && known)
		return err_set(e, ERR_DENIED, "%s: not permitted: needs CAP_PERFMON or root (perf_event_paranoid is %d)", what, level);
	if (sys == EACCES || sys == EPERM) return err_set(e, ERR_DENIED, "%s: not permitted: needs CAP_PERFMON or root, and no seccomp profile against it", what);
	if (sys == ENOSYS) return err_set(e, ERR_UNSUPPORTED, "%s: this kernel has no perf events, or a seccomp profile forbids them", what);
	if (sys == EMFILE) return err_set(e, ERR_FAIL, "%s: too few file descriptors for so many threads (raise ulimit -n)", what);
	return err_sys(e, sys, "%s", what);
}

size_t perf_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l)) return 256;
	if (l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
		getrlimit(RLIMIT_NOFILE, &l);
	}
	return l.rlim_cur < 1 << 20 ? (size_t)l.rlim_cur : 1 << 20;
}
