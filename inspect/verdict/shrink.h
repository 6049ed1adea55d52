/* shrink.h: does a process give memory back while it is watched? For use by collect.c. */
#ifndef ALLOCTOP_SHRINK_H
#define ALLOCTOP_SHRINK_H

#include <sys/types.h>

struct shrink;

/* Looks at its resident memory from now on, in a thread of its own, about a thousand times a second. NULL when that cannot be. */
struct shrink *shrink_begin(pid_t pid);
/* Ends that: in which share of the looks there was less of it than at the one before; NAN when it was not seen at all. Accepts NULL. */
double shrink_end(struct shrink *s);

#endif
