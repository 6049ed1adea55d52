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
   number is not looked up, unless --ns-of was given: what is done with it will tell. */
int pid_resolve(const char *operand, enum pid_of of, pid_t *pid, struct err *e);

/* The row of --ns-of for the table of each command that takes a process. It says where the whole command line's processes are looked up: in
   the PID namespace that the process `operand` is in. The text stays the caller's. */
#define PID_NS_OF { 0, "ns-of", OPTION_NS_OF, 0, "PID", "the process is numbered as in the PID namespace of this one", NULL }
void pid_look_inside(const char *operand);
int pid_looks_inside(void);

#endif
