/* attaching.h: the end of an attach, as `detach` and `attach --for` say it. */
#ifndef ALLOCTOP_ATTACHING_CMD_H
#define ALLOCTOP_ATTACHING_CMD_H

#include <sys/types.h>

struct err;

/* Puts everything back and prints what was done. */
int attaching_end(pid_t pid, struct err *e);

#endif
