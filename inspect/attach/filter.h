/* filter.h: does a process's seccomp filter let the system calls pass that attaching makes in it? For inspect/attach. */
#ifndef ALLOCTOP_FILTER_H
#define ALLOCTOP_FILTER_H

#include <stddef.h>
#include <sys/types.h>

/* Stops one thread for a moment, to read the filter. 0: all pass. -1 with the reason in `why`, also when it cannot be shown. */
int filter_check(pid_t pid, char *why, size_t n);

#endif
