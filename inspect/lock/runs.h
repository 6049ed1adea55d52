/* runs.h: how long a thread has run and has waited for a processor, and how often it was given one (/proc/PID/task/TID/schedstat). Two equal
 * answers: it has not run in between. For use by inspect/lock only. */
#ifndef ALLOCTOP_LOCK_RUNS_H
#define ALLOCTOP_LOCK_RUNS_H

#include <stdint.h>
#include <sys/types.h>

struct runs { uint64_t ran_ns, waited_ns, times; };

/* task: the process's /proc/PID/task, opened. A descriptor to be closed, or -1. */
int runs_open(int task, pid_t tid);
/* 0, or -1: it is gone, or this kernel does not count. */
int runs_read(int fd, struct runs *out);

#endif
