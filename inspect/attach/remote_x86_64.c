/* remote_x86_64.c: see remote.h. The thread is taken from, and given back in, a PTRACE_EVENT_STOP: there the kernel decides about signals and
 * about calls that were cut short, after we have put the registers back, as if it had never been away. Meanwhile its signals are
 * blocked, so that none is taken from the queue. */
#include "inspect/attach/remote.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/attach/inside.h"
#include "inspect/attach/seize.h"
#include "inspect/attach/step.h"
#include "inspect/target/err.h"
#include "inspect/target/xalloc.h"

enum {
	CODE_MAX = 256, STOPS_MAX = 64,
	EVENT_STOP = 128, SYSCALL_STOP = SIGTRAP | 0x80,
	GET_RSEQ = 0x420f, GET_SIGMASK = 0x420a, SET_SIGMASK = 0x420b,
	ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516,
	CALL_BYTES = 2,         /* of the syscall instruction */
};
static const double patience_s = 1;

struct remote {
	pid_t pid, tid;
	int mem;
	uint64_t room;
	struct user_regs_struct regs;   /* its own */
	uint64_t mask;
	uint8_t was[CODE_MAX];
	size_t size;                    /* of the code */
	int away;                       /* it has left the stop it was found in */
};

/* Of the code: its data. NOTE: the first two arguments of the call that it is there for, which nothing in it reads. */
enum { MASK = 208, FLAGS = MASK + 8, TARGET = FLAGS + 8, NOTE = TARGET + 8, SIZE = NOTE + 16 };

/* ---- the code ---------------------------------------------------------------------------------------------------------------------- */

struct code { uint8_t byte[CODE_MAX]; size_t n; };

static void put(struct code *c, const void *bytes, size_t n)
{
	memcpy(c->byte + c->n, bytes, n);
	c->n += n;
}

static void put64(struct code *c, uint64_t v) { put(c, &v, sizeof v); }

/* An instruction whose last four bytes say how far from its end its operand is; `data` is the operand's offset in the code. */
static void put_relative(struct code *c, const void *bytes, size_t n, size_t data)
{
	int32_t distance = (int32_t)data - (int32_t)(c->n + n + 4);

	put(c, bytes, n);
	put(c, &distance, sizeof distance);
}

static void put_load(struct code *c, uint8_t prefix, uint8_t opcode, uint64_t v)        /* mov $v, register */
{
	put(c, (uint8_t[]){ prefix, opcode }, 2);
	put64(c, v);
}

/* What the registers are when the thread finds back by itself: a call that was cut short is begun again, as the kernel would have it. */
static struct user_regs_struct resumed(const struct user_regs_struct *r)
{
	struct user_regs_struct out = *r;

	if ((long long)r->orig_rax < 0) return out;
	switch ((long long)r->rax) {
	case -ERESTARTSYS: case -ERESTARTNOINTR: case -ERESTARTNOHAND:
		out.rax = r->orig_rax;
		out.rip -= CALL_BYTES;
		break;
	case -ERESTART_RESTARTBLOCK:
		out.rax = SYS_restart_syscall;
		out.rip -= CALL_BYTES;
	}
	return out;
}

/* The call; then the mask, the flags (below the red zone: the stack pointer itself never moves away from the stack), the registers. */
static void assemble(struct code *c, const struct user_regs_struct *own, uint64_t mask)
{
	struct user_regs_struct r = resumed(own);

	*c = (struct code){ 0 };
	put(c, "\x0f\x05", 2);                                          /* syscall */
	put(c, "\xb8\x0e\x00\x00\x00", 5);                              /* mov $SYS_rt_sigprocmask, %eax */
	put(c, "\xbf\x02\x00\x00\x00", 5);                              /* mov $SIG_SETMASK, %edi */
	put_relative(c, "\x48\x8d\x35", 3, MASK);                       /* lea mask(%rip), %rsi */
	put(c, "\x31\xd2", 2);                                          /* xor %edx, %edx */
	put(c, "\x41\xba\x08\x00\x00\x00", 6);                          /* mov $8, %r10d */
	put(c, "\x0f\x05", 2);                                          /* syscall */
	put(c, "\x48\x8d\x64\x24\x80", 5);                              /* lea -128(%rsp), %rsp */
	put_relative(c, "\xff\x35", 2, FLAGS);                          /* push flags(%rip) */
	put(c, "\x9d", 1);                                              /* popfq */
	put(c, "\x48\x8d\xa4\x24\x80\x00\x00\x00", 8);                  /* lea 128(%rsp), %rsp */
	put_load(c, 0x48, 0xb8, r.rax);
	put_load(c, 0x48, 0xbb, r.rbx);
	put_load(c, 0x48, 0xb9, r.rcx);
	put_load(c, 0x48, 0xba, r.rdx);
	put_load(c, 0x48, 0xbe, r.rsi);
	put_load(c, 0x48, 0xbf, r.rdi);
	put_load(c, 0x48, 0xbd, r.rbp);
	put_load(c, 0x49, 0xb8, r.r8);
	put_load(c, 0x49, 0xb9, r.r9);
	put_load(c, 0x49, 0xba, r.r10);
	put_load(c, 0x49, 0xbb, r.r11);
	put_load(c, 0x49, 0xbc, r.r12);
	put_load(c, 0x49, 0xbd, r.r13);
	put_load(c, 0x49, 0xbe, r.r14);
	put_load(c, 0x49, 0xbf, r.r15);
	put_relative(c, "\xff\x25", 2, TARGET);                         /* jmp *target(%rip) */
	c->n = MASK;
	put64(c, mask);
	put64(c, r.eflags);
	put64(c, r.rip);
	put64(c, 0);
	put64(c, 0);
	_Static_assert((int)SIZE <= (int)CODE_MAX, "room for the code");
}

size_t remote_size(void)
{
	struct user_regs_struct none = { 0 };
	struct code c;

	assemble(&c, &none, 0);
	return c.n;
}

int remote_is_code(const uint8_t *bytes)
{
	enum { SAME = 51 };     /* up to the first value that is a thread's own */
	struct user_regs_struct none = { 0 };
	struct code c;

	assemble(&c, &none, 0);
	return !memcmp(bytes, c.byte, SAME);
}

void remote_note(const uint8_t *bytes, uint64_t note[2]) { memcpy(note, bytes + NOTE, 16); }

/* ---- which thread ------------------------------------------------------------------------------------------------------------------ */

/* In the middle of a restartable sequence (rseq) the kernel must see the thread where it was. Without a word of the kernel's: in none. */
static int in_sequence(pid_t tid, int mem, uint64_t ip)
{
	struct { uint64_t area; uint32_t size, signature, flags, pad; } conf = { 0 };
	struct { uint32_t version, flags; uint64_t start, length, abort; } cs;
	uint64_t at = 0;

	if (ptrace((enum __ptrace_request)GET_RSEQ, tid, (void *)sizeof conf, &conf) < 0 || !conf.area) return 0;
	if (pread(mem, &at, sizeof at, (off_t)(conf.area + 8)) != sizeof at || !at) return 0;
	if (pread(mem, &cs, sizeof cs, (off_t)at) != sizeof cs) return 1;
	return ip - cs.start < cs.length;
}

/* On its way back by itself, because an alloctop was killed: let it. */
static int in_code(const uint64_t *room, size_t rooms, int mem, uint64_t ip)
{
	uint8_t bytes[CODE_MAX];
	size_t size = remote_size();

	for (size_t i = 0; i < rooms; i++)
		if (ip - room[i] < size) return pread(mem, bytes, size, (off_t)room[i]) == (ssize_t)size && remote_is_code(bytes);
	return 0;
}

/* A signal handler may interrupt it, but only when its call is done: before, its signals are blocked. */
pid_t remote_pending(const struct seize *s, const uint64_t *room, size_t rooms, int mem)
{
	for (size_t i = 0; i < s->n; i++)
		if (in_code(room, rooms, mem, s->thread[i].pc)) return s->thread[i].tid;
	return 0;
}

/* One that waits in a system call is best: it is in the middle of nothing. */
static pid_t choose(const struct seize *s, const uint64_t *room, size_t rooms, int mem, struct user_regs_struct *regs)
{
	struct user_regs_struct r;
	pid_t found = 0;

	for (size_t i = 0; i < s->n; i++) {
		pid_t tid = s->thread[i].tid;
		if (!s->thread[i].standing || ptrace(PTRACE_GETREGS, tid, NULL, &r)) continue;
		int waits = (long long)r.orig_rax >= 0;
		if ((found && !waits) || in_code(room, rooms, mem, r.rip) || (!waits && in_sequence(tid, mem, r.rip))) continue;
		*regs = r;
		found = tid;
		if (waits) break;
	}
	return found;
}

/* ---- to and fro -------------------------------------------------------------------------------------------------------------------- */

static int lost(const struct remote *r, const char *what, struct err *e)
{
	if (errno == ESRCH) return err_set(e, ERR_GONE, "pid %d: it has exited meanwhile", (int)r->pid);
	return err_sys(e, errno, "pid %d: %s thread %d", (int)r->pid, what, (int)r->tid);
}

/* A room that nobody is in. Code of an alloctop that was killed may be on its way still, or be interrupted by a signal handler. */
static uint64_t free_room(const struct seize *s, const struct target *t, const uint64_t *room, size_t rooms, int mem, uint8_t *was)
{
	size_t size = remote_size();

	for (int look = 0; look < 2; look++)
		for (size_t i = 0; i < rooms; i++) {
			struct inside_range range = { room[i], room[i] + size };
			if (pread(mem, was, size, (off_t)room[i]) != (ssize_t)size) continue;
			if (!remote_is_code(was)) return room[i];
			if (!look || inside_find(s, t, NULL, 0, &range, 1)) continue;
			remote_original(t, room[i], was, size);
			return room[i];
		}
	return 0;
}

int remote_open(struct remote **out, const struct seize *s, const struct target *t, const uint64_t *room, size_t rooms, int mem, struct err *e)
{
	struct remote *r = xcalloc(1, sizeof *r);
	struct code c;
	int bad = 0;

	*out = NULL;
	*r = (struct remote){ .pid = s->pid, .mem = mem, .size = remote_size() };
	if (!seize_alive(s)) bad = err_set(e, ERR_GONE, "pid %d: it has exited meanwhile", (int)s->pid);
	else if (!(r->tid = choose(s, room, rooms, mem, &r->regs)))
		bad = err_set(e, ERR_FAIL, "pid %d: each of its threads is in a sequence that must not be left: try again", (int)s->pid);
	else if (!(r->room = free_room(s, t, room, rooms, mem, r->was)))
		bad = err_set(e, ERR_UNSUPPORTED, "pid %d: there is no room for %zu bytes in its executable pages", (int)s->pid, r->size);
	else if (ptrace((enum __ptrace_request)GET_SIGMASK, r->tid, (void *)sizeof r->mask, &r->mask) < 0 ||
		ptrace(PTRACE_SETOPTIONS, r->tid, NULL, (void *)PTRACE_O_TRACESYSGOOD) < 0)
		bad = lost(r, "preparing", e);
	if (!bad) {
		assemble(&c, &r->regs, r->mask);
		bad = step("room", e);
	}
	errno = ESRCH;          /* what a short write means */
	if (!bad && pwrite(mem, c.byte, c.n, (off_t)r->room) != (ssize_t)c.n) bad = lost(r, "making room for", e);
	if (bad) {
		free(r);
		return -1;
	}
	*out = r;
	return 0;
}

/* Registers before mask, and the other way round on the way back: whatever the moment, either the thread's own state is whole, or it
   is on its way through code that makes it whole. */
static int leave(struct remote *r, const struct user_regs_struct *regs, struct err *e)
{
	struct err unimportant;         /* a step of which nothing can fail by itself */
	uint64_t all = ~0ull;

	if (ptrace(PTRACE_SETREGS, r->tid, NULL, regs)) return lost(r, "taking", e);
	if (r->away) return 0;
	r->away = 1;
	step("away", &unimportant);
	if (ptrace((enum __ptrace_request)SET_SIGMASK, r->tid, (void *)sizeof all, &all) < 0) return lost(r, "taking", e);
	step("masked", &unimportant);
	return 0;
}

/* On to the next entry into or return from a system call. A stop of the whole process (SIGSTOP) on the way is gone through: it takes
   effect when we let go. */
static int next_call_stop(struct remote *r, struct err *e)
{
	int status;

	for (unsigned i = 0; i < STOPS_MAX; i++) {
		if (ptrace(PTRACE_SYSCALL, r->tid, NULL, NULL) || seize_await(r->tid, patience_s, &status)) return lost(r, "a system call of", e);
		if (WSTOPSIG(status) == SYSCALL_STOP) return 0;
		if (status >> 16 != EVENT_STOP)
			return err_set(e, ERR_FAIL, "pid %d: a system call of thread %d was met by signal %d", (int)r->pid, (int)r->tid, WSTOPSIG(status));
	}
	return err_set(e, ERR_FAIL, "pid %d: thread %d does not get to its system call", (int)r->pid, (int)r->tid);
}

int remote_call(struct remote *r, long nr, const uint64_t arg[6], uint64_t *result, struct err *e)
{
	struct user_regs_struct regs = r->regs;
	struct err unimportant;

	regs.rip = r->room;
	regs.rax = (unsigned long long)nr;
	regs.orig_rax = -1ull;
	regs.rdi = arg[0], regs.rsi = arg[1], regs.rdx = arg[2], regs.r10 = arg[3], regs.r8 = arg[4], regs.r9 = arg[5];
	errno = ESRCH;
	if (pwrite(r->mem, arg, 16, (off_t)(r->room + NOTE)) != 16) return lost(r, "a system call of", e);
	if (leave(r, &regs, e) || next_call_stop(r, e)) return -1;
	step("entered", &unimportant);
	if (next_call_stop(r, e)) return -1;
	step("returned", &unimportant);
	if (ptrace(PTRACE_GETREGS, r->tid, NULL, &regs)) return lost(r, "asking", e);
	if (regs.rip != r->room + CALL_BYTES)
		return err_set(e, ERR_FAIL, "pid %d: thread %d came back from a system call elsewhere", (int)r->pid, (int)r->tid);
	*result = regs.rax;
	if (regs.rax < -4095ull) return 0;
	err_sys(e, (int)-(long long)regs.rax, "pid %d: system call %ld in it", (int)r->pid, nr);
	if (e->kind == ERR_GONE) e->kind = ERR_FAIL;
	return -1;
}

/* Back to a stop of the kind it was found in. It executes nothing on the way. */
static int come_back(struct remote *r)
{
	int status;

	ptrace(PTRACE_INTERRUPT, r->tid, NULL, NULL);
	for (unsigned i = 0; i < STOPS_MAX; i++) {
		if (ptrace(PTRACE_CONT, r->tid, NULL, NULL) || seize_await(r->tid, patience_s, &status)) return -1;
		if (status >> 16 == EVENT_STOP) return 0;
	}
	errno = ETIMEDOUT;
	return -1;
}

int remote_close(struct remote *r, struct err *e)
{
	struct err unimportant;
	int bad = 0;

	if (!r) return 0;
	if (r->away) {
		bad = come_back(r);
		step("back", &unimportant);
		if (!bad) bad = ptrace((enum __ptrace_request)SET_SIGMASK, r->tid, (void *)sizeof r->mask, &r->mask) < 0;
		step("unmasked", &unimportant);
		if (!bad) bad = ptrace(PTRACE_SETREGS, r->tid, NULL, &r->regs) != 0;
		if (bad) lost(r, "bringing back", e);
	}
	step("restored", &unimportant);
	/* not while the thread may still be in there */
	errno = ESRCH;
	if (!bad && pwrite(r->mem, r->was, r->size, (off_t)r->room) != (ssize_t)r->size) bad = lost(r, "clearing up after", e);
	free(r);
	return bad ? -1 : 0;
}
