/* perf_regs_x86_64.c: see perf_regs.h. The kernel's order: ax bx cx dx si di bp sp ip, and after flags and segments r8 to r15
 * (arch/x86/include/uapi/asm/perf_regs.h). */
#include "inspect/perf/perf_regs.h"

#include <asm/perf_regs.h>

enum { AX, BX, CX, DX, SI, DI, BP, SP, IP, R8 };

const uint64_t perf_regs_mask = ((UINT64_C(1) << (PERF_REG_X86_IP + 1)) - 1) | UINT64_C(0xff) << PERF_REG_X86_R8;
const unsigned perf_regs_order[UNWIND_REGS] = { AX, DX, CX, BX, SI, DI, BP, SP, R8, R8 + 1, R8 + 2, R8 + 3, R8 + 4, R8 + 5, R8 + 6, R8 + 7, IP };

const uint64_t perf_args_mask = UINT64_C(1) << PERF_REG_X86_DX | UINT64_C(1) << PERF_REG_X86_SI | UINT64_C(1) << PERF_REG_X86_DI;
const unsigned perf_args_order[3] = { 2, 1, 0 };
