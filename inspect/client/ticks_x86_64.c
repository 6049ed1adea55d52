/* ticks_x86_64.c: see ticks.h. */
#include "inspect/client/ticks.h"

uint64_t ticks_now(void)
{
	return __builtin_ia32_rdtsc();
}
