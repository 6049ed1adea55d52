/* sleeper.h: what a sleeping thread waits in, and its stack, without stopping it. The kernel says where its stack pointer and program counter
 * are (/proc/PID/task/TID/syscall), and that it has not run since (its schedstat): so the copy is of one moment. For use by inspect/lock only. */
#ifndef ALLOCTOP_LOCK_SLEEPER_H
#define ALLOCTOP_LOCK_SLEEPER_H

#include <stdint.h>
#include <sys/types.h>
#include "inspect/perf/unwind.h"

struct target;

/* One thread. task: its process's /proc/PID/task, opened. fd: its `syscall` there, or -1 for one that is opened anew each time. */
struct sleeper { int task; pid_t tid; int fd; };

/* The system call, its first three arguments, and where the thread stands. */
struct sleeper_call { uint64_t number, arg[3], sp, pc; };

struct sleeper_stack {
	struct unwind_sample sample;    /* its stack is in `stack`; only SP and PC are known */
	uint8_t stack[UNWIND_STACK];
};

/* 1: it sleeps in that call. 0: it does not, or it is gone. -1: not permitted, errno says how. */
int sleeper_look(const struct sleeper *s, struct sleeper_call *at);
/* The stack of the very call *at; not when it has run meanwhile, or when the kernel does not say whether it has. */
enum sleeper_copied { SLEEPER_COPIED, SLEEPER_RAN, SLEEPER_UNKNOWN };
enum sleeper_copied sleeper_copy(const struct target *t, const struct sleeper *s, const struct sleeper_call *at, struct sleeper_stack *out);

#endif
