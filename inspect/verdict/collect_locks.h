/* collect_locks.h: the locks of a process, watched in a thread of their own. For use by collect.c. */
#ifndef ALLOCTOP_COLLECT_LOCKS_H
#define ALLOCTOP_COLLECT_LOCKS_H

#include <sys/types.h>

struct collect_locks;
struct collect_options;
struct facts;

/* Never NULL. */
struct collect_locks *collect_locks_begin(pid_t pid, const struct collect_options *o);
/* Waits until the watch is over, fills in the locks and the stacks of those who wait, and frees it. */
void collect_locks_end(struct collect_locks *l, struct facts *f);

#endif
