/* futextrace.h: tracer.c's half of the futex trace: the events of all threads over one window, as waits. For use by futextrace.c and
 * tracer.c only. */
#ifndef ALLOCTOP_FUTEXTRACE_H
#define ALLOCTOP_FUTEXTRACE_H

#include "inspect/lock/tally.h"

struct traced;

/* A wait that ended in the window, or the part of a longer one that lies in it. */
struct traced_wait {
	uint64_t addr, op;
	uint32_t val;
	pid_t tid;
	const char *thread;             /* its name */
	double seconds, scale;
	int ended, eagain;
	const uint64_t *pc; unsigned depth, scanned;    /* of some */
	double period;                  /* one in so many has a stack */
};

struct tracer {
	const struct lock_watch *w;
	uint64_t enter, leave;          /* the tracepoints' numbers */
	unsigned addr, op, val, ret;    /* where the fields are */
	struct traced *thread; size_t n;
	size_t descriptors;
	double calls, waits;            /* out: records of the last window, and those of calls that wait; scaled */
	uint64_t lost, left_out;        /* out */
	double opened;
	double period;
};

/* -1 with *e: no tracefs, not permitted. */
int tracer_init(struct tracer *x, const struct lock_watch *w, struct err *e);
/* Installs the events of threads that have none yet, all of them after tracer_close. One wait in `period` gets its stack. */
int tracer_open(struct tracer *x, unsigned period, struct err *e);
/* Ends a window (`off`: and the events with it), calls back for each wait. Returns its length in seconds, 0 when no thread is left. */
double tracer_take(struct tracer *x, int off, void (*waited)(void *arg, const struct traced_wait *v), void *arg);
void tracer_close(struct tracer *x);

#endif
