/* stop.h: stops one thread for as long as it takes to copy its registers and the top of its stack. For use by inspect/lock only. */
#ifndef ALLOCTOP_LOCK_STOP_H
#define ALLOCTOP_LOCK_STOP_H

#include <stdint.h>
#include <sys/types.h>
#include "inspect/perf/unwind.h"

struct target;

struct stopped {
	struct unwind_sample sample;    /* its stack is in `stack` */
	uint64_t call;                  /* the system call it is in, UINT64_MAX if none */
	double pause_us;                /* it cannot have been stopped for longer */
	uint8_t stack[UNWIND_STACK];
};

/* 0, or -1 when it is gone or may not be stopped. Nothing stays attached in either case; a thread that does not stop although *stop has
   become non-zero is let go when the calling thread ends. */
int stop_copy(const struct target *t, pid_t tid, const int *stop, struct stopped *out);

#endif
