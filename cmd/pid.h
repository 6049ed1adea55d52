/* pid.h: which process an operand means. */
#ifndef ALLOCTOP_PID_H
#define ALLOCTOP_PID_H

#include <sys/types.h>

struct err;

/* A number, or the name of the only program with an agent that is called so. 0, or -1 with *e: USAGE when it is neither, GONE
   when no such program has an agent; several are listed. A number is not looked up: what is done with it will tell. */
int pid_resolve(const char *s, pid_t *pid, struct err *e);

#endif
