/* clock.h: the clock that intervals are measured with. */
#ifndef ALLOCTOP_CLOCK_H
#define ALLOCTOP_CLOCK_H

#include <time.h>

/* Seconds, monotonic. */
static inline double clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

#endif
