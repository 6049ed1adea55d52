/* filter.c: see filter.h. The kernel hands out the filter's program (classic BPF) to CAP_SYS_ADMIN; it is run here on what our calls would
 * look like. Several filters: each must let them pass. A filter can look at arguments, so they are given as they will be; addresses,
 * which cannot be known, as 0 and as one in the upper half of the address space. */
#include "inspect/attach/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "inspect/attach/seize.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum { FILTERS_MAX = 64, GET_FILTER = 0x420c, WORDS = 16, STEPS_MAX = BPF_MAXINSNS };
static const uint64_t some_address = 0x7f0000000000, some_size = 64 << 20;

struct machine { uint32_t a, x, m[WORDS]; };

static uint32_t operand(const struct sock_filter *i, const struct machine *s) { return BPF_SRC(i->code) == BPF_X ? s->x : i->k; }

static uint32_t compute(const struct sock_filter *i, const struct machine *s)
{
	uint32_t v = operand(i, s);

	switch (BPF_OP(i->code)) {
	case BPF_ADD: return s->a + v;
	case BPF_SUB: return s->a - v;
	case BPF_MUL: return s->a * v;
	case BPF_DIV: return v ? s->a / v : 0;
	case BPF_MOD: return v ? s->a % v : 0;
	case BPF_AND: return s->a & v;
	case BPF_OR: return s->a | v;
	case BPF_XOR: return s->a ^ v;
	case BPF_LSH: return v < 32 ? s->a << v : 0;
	case BPF_RSH: return v < 32 ? s->a >> v : 0;
	default: return -s->a;
	}
}

static int jumps(const struct sock_filter *i, const struct machine *s)
{
	uint32_t v = operand(i, s);

	switch (BPF_OP(i->code)) {
	case BPF_JEQ: return s->a == v;
	case BPF_JGT: return s->a > v;
	case BPF_JGE: return s->a >= v;
	default: return (s->a & v) != 0;
	}
}

static uint32_t word(const struct seccomp_data *d, uint32_t at)
{
	uint32_t v = 0;

	if (at % 4 == 0 && at <= sizeof *d - 4) memcpy(&v, (const char *)d + at, sizeof v);
	return v;
}

/* What it answers; SECCOMP_RET_KILL_PROCESS when it makes no sense. Jumps only go forward, so that it ends. */
static uint32_t run(const struct sock_filter *code, size_t n, const struct seccomp_data *d)
{
	struct machine s = { 0 };

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &code[pc];
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			s.a = BPF_MODE(i->code) == BPF_ABS ? word(d, i->k) : BPF_MODE(i->code) == BPF_MEM ? s.m[i->k % WORDS] :
				BPF_MODE(i->code) == BPF_LEN ? (uint32_t)sizeof *d : i->k;
			break;
		case BPF_LDX: s.x = BPF_MODE(i->code) == BPF_MEM ? s.m[i->k % WORDS] : BPF_MODE(i->code) == BPF_LEN ? (uint32_t)sizeof *d : i->k; break;
		case BPF_ST: s.m[i->k % WORDS] = s.a; break;
		case BPF_STX: s.m[i->k % WORDS] = s.x; break;
		case BPF_ALU: s.a = compute(i, &s); break;
		case BPF_JMP: pc += BPF_OP(i->code) == BPF_JA ? i->k : jumps(i, &s) ? i->jt : i->jf; break;
		case BPF_RET: return BPF_RVAL(i->code) == BPF_A ? s.a : i->k;
		default: if (BPF_MISCOP(i->code) == BPF_TAX) s.x = s.a; else s.a = s.x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static const struct { const char *name; int nr; uint64_t arg[6]; } needed[] = {
	{ "mmap", SYS_mmap, { 0, some_size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1ull, 0 } },
	{ "mmap", SYS_mmap, { 0, some_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1ull, 0 } },
	{ "mmap", SYS_mmap, { some_address, some_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1ull, 0 } },
	{ "mmap of executable memory", SYS_mmap, { some_address, some_size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1ull, 0 } },
	{ "munmap", SYS_munmap, { some_address, some_size } },
	{ "madvise", SYS_madvise, { some_address, 4096, 18 } },
	{ "rt_sigprocmask", SYS_rt_sigprocmask, { 2, some_address, 0, 8 } },
	{ "rt_sigprocmask", SYS_rt_sigprocmask, { ~0u, some_address, 0, 8 } },
	{ "gettid", SYS_gettid, { 0 } },
};

static const char *stopped_by(const struct sock_filter *code, size_t n)
{
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
		struct seccomp_data d = { .nr = needed[i].nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = some_address };
		memcpy(d.args, needed[i].arg, sizeof d.args);
		uint32_t action = run(code, n, &d) & SECCOMP_RET_ACTION_FULL;
		if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG) return needed[i].name;
	}
	return NULL;
}

struct question { pid_t pid; char *why; size_t n; int bad; };

static int ask(struct question *q, pid_t tid)
{
	struct sock_filter *code = xcalloc(STEPS_MAX, sizeof *code);
	const char *stopped = NULL;
	long n = 0;
	unsigned i;

	for (i = 0; i < FILTERS_MAX && !stopped; i++) {
		n = ptrace((enum __ptrace_request)GET_FILTER, tid, (void *)(uintptr_t)i, NULL);
		if (n <= 0 || n > STEPS_MAX || ptrace((enum __ptrace_request)GET_FILTER, tid, (void *)(uintptr_t)i, code) != n) break;
		stopped = stopped_by(code, (size_t)n);
	}
	int sys = errno;
	free(code);
	if (stopped) snprintf(q->why, q->n, "its seccomp filter does not let %s pass, which attaching needs", stopped);
	else if (n <= 0 && i && sys == ENOENT) return 0;
	else snprintf(q->why, q->n, "it has a seccomp filter, and the kernel does not show it (%s): what attaching does might kill it",
	              sys == EACCES || sys == EPERM ? "that needs CAP_SYS_ADMIN" : strerror(sys));
	return -1;
}

/* Ptrace is a thread's: ours ends, and with it whatever it holds. */
static void *work(void *arg)
{
	struct question *q = arg;
	struct seize s;
	struct err e;

	if (seize_one(&s, q->pid, 0.5, &e)) {
		snprintf(q->why, q->n, "its seccomp filter cannot be read: %s", e.text);
		q->bad = -1;
		return NULL;
	}
	q->bad = ask(q, s.thread[0].tid);
	seize_release(&s);
	return NULL;
}

int filter_check(pid_t pid, char *why, size_t n)
{
	struct question q = { pid, why, n, -1 };
	pthread_t thread;

	snprintf(why, n, "its seccomp filter cannot be read");
	if (pthread_create(&thread, NULL, work, &q)) return -1;
	pthread_join(thread, NULL);
	return q.bad;
}
