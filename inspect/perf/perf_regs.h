/* perf_regs.h: the registers that the kernel puts into a sample, and where DWARF's are among them. One definition per processor. For
 * use by perf.c only. */
#ifndef ALLOCTOP_PERF_REGS_H
#define ALLOCTOP_PERF_REGS_H

#include <stdint.h>
#include "inspect/perf/unwind.h"

enum { PERF_REGS = 17 };
extern const uint64_t perf_regs_mask;
extern const unsigned perf_regs_order[UNWIND_REGS];    /* index in a sample of each of DWARF's */
/* Those of a system call's first three arguments, and where each is among them. */
extern const uint64_t perf_args_mask;
extern const unsigned perf_args_order[3];

#endif
