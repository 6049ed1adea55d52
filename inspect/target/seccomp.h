/* seccomp.h: has a process put itself under a seccomp filter? One that its parent is under as well (a container's) is not its own. */
#ifndef ALLOCTOP_SECCOMP_H
#define ALLOCTOP_SECCOMP_H

#include <sys/types.h>

struct proc;

/* 1 if any thread is in strict mode or under more filters than the parent process. 0 if none is, or where the kernel does not say (before 5.9). */
int seccomp_is_own(const struct proc *p);

#endif
