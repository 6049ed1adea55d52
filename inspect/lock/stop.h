/* stop.h: stops one sleeping thread for as long as it takes to copy its registers and the top of its stack. For use by inspect/lock only. */
#ifndef ALLOCTOP_LOCK_STOP_H
#define ALLOCTOP_LOCK_STOP_H

#include <stdint.h>
#include <sys/types.h>
#include "inspect/perf/unwind.h"

struct sleeper;
struct target;

struct stopped {
	struct unwind_sample sample;    /* its stack is in `stack` */
	uint64_t call;                  /* the system call it is in, UINT64_MAX if none */
	double pause_us;                /* it cannot have been stopped for longer */
	uint8_t stack[UNWIND_STACK];
};

/* 0, or -1 when it does not sleep again soon, is gone, or may not be stopped; nothing stays attached in either case. The calling thread can be cancelled
   (pthread_cancel) while it waits for the stop, and lets the other go by that; it must not be cancellable otherwise. */
int stop_copy(const struct target *t, const struct sleeper *s, struct stopped *out);

#endif
