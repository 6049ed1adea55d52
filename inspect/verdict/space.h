/* space.h: does the address space of a process move while it is watched? For use by collect.c. */
#ifndef ALLOCTOP_SPACE_H
#define ALLOCTOP_SPACE_H

#include <sys/types.h>

struct space;

/* Looks at its size from now on, in a thread of its own, about a thousand times a second. NULL when that cannot be. */
struct space *space_begin(pid_t pid);
/* Ends that: how often per second it was seen to differ from the look before, a lower bound of how often it changed; NAN when it was not seen at all.
   Accepts NULL. */
double space_end(struct space *s);

#endif
