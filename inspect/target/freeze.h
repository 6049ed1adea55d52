/* freeze.h: lets a process stand still for a moment. A child process holds it with ptrace, and lets it go when told to, when its time
 * is up, and when we are gone, however that came about; when the child is gone too, the kernel lets it go. A system call that waits may
 * end early with EINTR, as it may at any time. */
#ifndef ALLOCTOP_FREEZE_H
#define ALLOCTOP_FREEZE_H

#include <sys/types.h>

struct err;
struct freeze;

/* All threads stand still on return, for at most so many seconds. -1 with *e: GONE, DENIED (also when a debugger has it), or FAIL when
   they would not stop in that time. */
int freeze_begin(pid_t pid, double most_s, struct freeze **out, struct err *e);
/* Lets it run, if it does not already. How long it stood still, in seconds; *late: its time was up before. */
double freeze_end(struct freeze *f, int *late);

#endif
