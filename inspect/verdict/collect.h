/* collect.h: watches one process and fills in the facts: its heap at both ends and as often between as costs little, locks all the time, the agent
 * where there is one. Only reads; nothing is left attached. */
#ifndef ALLOCTOP_COLLECT_H
#define ALLOCTOP_COLLECT_H

#include <sys/types.h>

struct err;
struct facts;

struct collect_options {
	double watch_s;
	int stop;               /* threads may be stopped for moments, to see where they wait: see alloctop-locks(1) */
	const int *interrupt;   /* becomes non-zero: the watch ends early. May be NULL */
};

/* 0, or -1 with *e when there is no such process, or nothing at all may be read of it. A group that could not be had says so in the facts. Free with
   facts_free. */
int collect(pid_t pid, const struct collect_options *o, struct facts *f, struct err *e);

#endif
