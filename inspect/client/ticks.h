/* ticks.h: the cycle counter that the agent's times are in, read by ourselves. One file per processor. */
#ifndef ALLOCTOP_TICKS_H
#define ALLOCTOP_TICKS_H

#include <stdint.h>

uint64_t ticks_now(void);

#endif
