/* observe.h: one process, read in threads: proc and agent each `delay`, the heap from outside and the locks as often as they are worth. */
#ifndef ALLOCTOP_OBSERVE_H
#define ALLOCTOP_OBSERVE_H

#include <sys/types.h>

struct err;
struct feed;

/* whole: the first state waits until every part was read once, or could not be: for those who look once. -1 with *e when there is no such
   process or nothing of it may be read. */
int observe_open(pid_t pid, double delay_s, int whole, struct feed **out, struct err *e);

#endif
