/* seize.h: the threads of a process stand still for a moment, and run on as if nothing had been: signals come once, in order and with
 * what they carry; a call that waits goes on waiting, also one that the kernel ends with EINTR whenever a thread is stopped (epoll_wait);
 * a process that is stopped (SIGSTOP) stays so. PTRACE_SEIZE and PTRACE_INTERRUPT: no signal is sent.
 *
 * Ptrace knows threads, not processes: all calls for one struct seize come from one thread of ours, and when that thread ends, for
 * whatever reason, the kernel lets go what it still holds. So do it in a thread of its own (attach.c does). For inspect/attach. */
#ifndef ALLOCTOP_SEIZE_H
#define ALLOCTOP_SEIZE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct seized { pid_t tid; int standing; uint64_t pc, sp /* where it stands */; };
struct seize {
	pid_t pid;
	struct seized *thread; size_t n;
	double since;           /* CLOCK_MONOTONIC when the first one was asked to stop */
};

/* All threads, those too that begin meanwhile. -1 with *e: GONE, DENIED (a debugger has it: named), FAIL when some thread does not stop in
   `patience_s` (in vfork, or waiting for a disk that does not answer): then end the calling thread, which lets it go. */
int seize_all(struct seize *s, pid_t pid, double patience_s, struct err *e);
/* One thread alone: the first that will stop. */
int seize_one(struct seize *s, pid_t pid, double patience_s, struct err *e);
/* Lets them run. Returns for how long they were held, in seconds. */
double seize_release(struct seize *s);

/* Does any of the threads still stand? The memory of a process that was killed can be written for a while. */
int seize_alive(const struct seize *s);

/* Waits for the next stop of a thread that was made to go on. 0 with the status, or -1: it has ended (errno ESRCH), or the time is up. */
int seize_await(pid_t tid, double patience_s, int *status);

/* Who traces the process: 0 nobody. `name` as in proc_thread_name. Another alloctop is waited for a little: it is soon done. */
pid_t seize_tracer(pid_t pid, char name[16]);

/* seize_x86_64.c: where it stands is noted; a system call that only our stop has ended goes on when the thread does. -1 when it has ended. */
int seize_look(struct seized *t);
/* All that unwinding needs, in the order of inspect/perf/unwind.h. */
int seize_all_registers(pid_t tid, uint64_t *reg);
/* Does one of its registers hold an address in [start, end)? */
int seize_points(pid_t tid, uint64_t start, uint64_t end);
/* Its thread pointer, 0 when it has none. */
uint64_t seize_thread_pointer(pid_t tid);

#endif
