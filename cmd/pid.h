/* pid.h: which process an operand means. */
#ifndef ALLOCTOP_PID_H
#define ALLOCTOP_PID_H

#include <sys/types.h>

struct err;

/* Among which programs a name is looked for. */
enum pid_of {
	PID_OF_AGENT,           /* the only one of that name that has an agent */
	PID_OF_ANY,             /* the same, else the only one of that name */
};

/* A number or a name. 0, or -1 with *e: USAGE when it is neither or several are called so (they are listed), GONE when none is. A
   number is not looked up: what is done with it will tell. */
int pid_resolve(const char *s, enum pid_of of, pid_t *pid, struct err *e);

#endif
