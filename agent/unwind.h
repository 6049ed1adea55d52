/* unwind.h: the call stack of the calling thread, by the program's own unwind tables.
 *
 * No lock, no memory, no loader call; at most UNWIND_PROBES system calls, and none once the stack's extent is known. Any thread and any signal handler,
 * also one that interrupts another walk, or that leaves by siglongjmp. Never reads an address it has not proven readable, never
 * writes outside of its arguments and its cache. Uses at most UNWIND_STACK bytes of stack (tests/cli/unwind checks).
 * It stops early rather than guess: what it returns are callers. */
#ifndef AGENT_UNWIND_H
#define AGENT_UNWIND_H

#include <stdint.h>

enum { UNWIND_PROBES = 256, UNWIND_STACK = 700 };

/* The part of the current stack known to be readable. Kept by the caller, one per thread, zero at first. A thread that changes
   stacks is noticed by its stack pointer. */
struct unwind_bounds { uintptr_t lo, hi; };

/* Fills pc[0..max) with the return addresses above the caller of this function, and the caller itself, innermost first, without
   frames of the agent's own object. Returns how many. *cut: 0 when the stack is whole, else 1 + WIRE_CUT_…
   (In signal handlers' callers the address is that of the interrupted instruction.) */
unsigned unwind_here(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut);

/* ---- between unwind.c and unwind_ARCH.c ---- */

enum { UNWIND_REGS = 16, UNWIND_SP = 7, UNWIND_FP = 6 };        /* DWARF numbers */

/* `valid`: one bit per register whose value is known. */
struct unwind_regs { uint64_t r[UNWIND_REGS]; uint64_t pc; uint64_t valid; };

/* unwind_here saves the registers and comes here. */
unsigned unwind_walk(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut, struct unwind_regs *regs);

/* Is [addr, addr + n) readable? One system call per page. */
int unwind_readable(uintptr_t addr, uintptr_t n);
/* Does the code at pc return from a signal handler to the kernel? Up to 9 bytes at pc are readable. */
int unwind_is_trampoline(uintptr_t pc);
/* Offset of a register (DWARF number, 16: pc) from the stack pointer in the trampoline's frame. */
unsigned unwind_context_offset(unsigned reg);
enum { UNWIND_CONTEXT = 176 };
/* Do the bytes before pc end in a call? 7 bytes before pc are readable. */
int unwind_follows_call(uintptr_t pc);

#endif
