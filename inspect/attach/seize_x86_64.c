/* seize_x86_64.c: see seize.h. Most calls that wait are left with an ERESTART code when a thread is stopped, and the kernel itself begins
 * them again. A few return EINTR at once, signal or not: theirs is made the code that means "EINTR if a handler runs, else again",
 * which leaves the decision to the kernel, at the moment when the thread goes on. */
#include "inspect/attach/seize.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include "inspect/perf/unwind.h"

enum { ERESTARTNOHAND = 514 };

/* Calls that have done nothing yet when they return EINTR, so that they can be begun again as they are. */
static int repeatable(unsigned long long nr)
{
	switch (nr) {
	case SYS_epoll_wait: case SYS_epoll_pwait: case SYS_epoll_pwait2:
	case SYS_semop: case SYS_semtimedop: case SYS_rt_sigtimedwait:
	case SYS_io_getevents: case SYS_io_pgetevents: case SYS_io_uring_enter:
	case SYS_read: case SYS_readv: case SYS_recvfrom: case SYS_recvmsg: case SYS_recvmmsg: case SYS_accept: case SYS_accept4:
	case SYS_write: case SYS_writev: case SYS_sendto: case SYS_sendmsg: case SYS_sendmmsg: case SYS_connect:     /* with a time limit on the socket */
		return 1;
	default:
		return 0;
	}
}

int seize_look(struct seized *t)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->tid, NULL, &r)) return -1;
	t->pc = r.rip;
	t->sp = r.rsp;
	if ((long long)r.orig_rax < 0 || (long long)r.rax != -EINTR || !repeatable(r.orig_rax)) return 0;
	ptrace(PTRACE_POKEUSER, t->tid, (void *)offsetof(struct user_regs_struct, rax), (void *)(long)-ERESTARTNOHAND);
	return 0;
}

int seize_all_registers(pid_t tid, uint64_t *reg)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &r)) return -1;
	const uint64_t in_order[UNWIND_REGS] = { r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip };
	memcpy(reg, in_order, sizeof in_order);
	return 0;
}

uint64_t seize_thread_pointer(pid_t tid)
{
	struct user_regs_struct r;

	return ptrace(PTRACE_GETREGS, tid, NULL, &r) ? 0 : r.fs_base;
}

int seize_points(pid_t tid, uint64_t start, uint64_t end)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &r)) return 0;
	const uint64_t reg[] = { r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, r.rip };
	for (size_t i = 0; i < sizeof reg / sizeof *reg; i++)
		if (reg[i] - start < end - start) return 1;
	return 0;
}
