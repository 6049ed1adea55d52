/* proc.h: what /proc says of one process, and which processes there are. */
#ifndef ALLOCTOP_PROC_H
#define ALLOCTOP_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct proc {
	pid_t pid, ppid;
	pid_t inner_pid;        /* as the process sees itself (last of NSpid); == pid outside of namespaces */
	uid_t uid;
	char comm[16];
	char exe[512];          /* target of /proc/PID/exe, " (deleted)" cut; "" when not permitted or a kernel thread */
	char cmdline[512];      /* arguments separated by spaces; "[comm]" for a kernel thread */
	char state;             /* R S D Z T … */
	unsigned threads;
	uint64_t rss_bytes, vm_bytes;
	uint64_t start_ticks;   /* field 22 of /proc/PID/stat: tells a PID from its reuse */
	uint64_t stack_start;   /* another one after an exec; 0 when not permitted */
	double uptime_s;        /* seconds since the process began */
};

/* 0, or -1 with *e: GONE when there is no such process. */
int proc_read(struct proc *p, pid_t pid, struct err *e);

/* "pid 4711", or "pid 4711 (7 inside)" where the process sees itself as another one; inner 0: not known. Returns buf. */
enum { PROC_LABEL = 48 };
const char *proc_label(pid_t pid, pid_t inner, char buf[PROC_LABEL]);

/* Reads again what changes from moment to moment, at a fifth of the cost: all but exe, cmdline, uid, inner_pid and uptime_s. -1 when the
   process is gone, or this is another one, or another program in it: *p is unchanged then. */
int proc_again(struct proc *p);

/* Whether /proc is mounted and shows the processes that our system calls mean, which it does not after unshare --pid without --mount-proc, or
   in a chroot. 0, or -1 with *e (UNSUPPORTED). */
int proc_check(struct err *e);

/* Calls fn for each process there is, in ascending PID order, until it returns non-zero. Returns that, or 0, or -1 with *e, as
   proc_check. */
int proc_each(int (*fn)(pid_t pid, void *arg), void *arg, struct err *e);

/* Name of one thread, "" when gone. */
void proc_thread_name(pid_t pid, pid_t tid, char name[16]);

#endif
