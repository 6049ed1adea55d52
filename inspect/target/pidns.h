/* pidns.h: PID namespaces: which number a process has in another one's, as a container's processes see it. */
#ifndef ALLOCTOP_PIDNS_H
#define ALLOCTOP_PIDNS_H

#include <sys/types.h>

struct err;

struct pidns {
	dev_t dev;
	ino_t ino;
	unsigned depth;         /* below the namespace that /proc shows; 0: that one */
};

/* The namespace that a process is in. 0, or -1 with *e: GONE, or DENIED. */
int pidns_of(struct pidns *ns, pid_t pid, struct err *e);

/* The number that a process has there, also when it lives in a namespace further down. 0: it is not in there, or gone; negative: it would
   be this number, but which namespace it is in may not be looked at. */
pid_t pidns_number(const struct pidns *ns, pid_t pid);

#endif
