/* unwind.h: the call stack of the calling thread, by the program's own unwind tables.
 *
 * No lock, no memory, no loader call; at most UNWIND_PROBES system calls, and none once the stack's extent is known. Any thread and any signal handler,
 * also one that interrupts another walk, or that leaves by siglongjmp. Never reads an address it has not proven readable, never
 * writes outside of its arguments and its cache. Uses at most UNWIND_STACK bytes of stack (tests/cli/unwind checks).
 * It stops early rather than guess: what it returns are callers. */
#ifndef AGENT_UNWIND_H
#define AGENT_UNWIND_H

#include <stdint.h>
#include "cc.h"
#include "cpu.h"
#include "ehframe.h"

enum { UNWIND_PROBES = 256, UNWIND_STACK = 700 };

/* The part of the current stack known to be readable. Kept by the caller, one per thread, zero at first. A thread that changes
   stacks is noticed by its stack pointer. */
struct unwind_mark;
struct unwind_bounds {
	uintptr_t lo, hi;
	struct unwind_mark *mark;       /* innermost of this thread, NULL: none */
};

/* Fills pc[0..max) with the return addresses above the caller of this function, and the caller itself, innermost first, without
   frames of the agent's own object. Returns how many. *cut: 0 when the stack is whole, else 1 + WIRE_CUT_…
   (In signal handlers' callers the address is that of the interrupted instruction.) */
unsigned unwind_here(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut);

/* The next walk will probably meet these addresses: asks for their rules, all at once. A walk needs one after the other. */
void unwind_expect(const uint64_t *pc, unsigned n);

/* A place on the way into code that has no unwind tables (musl's libc): where a walk that is stuck in there goes on. In a local of a
   function of the agent, made at its beginning, which calls that code between set and clear; passed by when it is not on the way of
   a walk. The function itself keeps the registers, and its own rules tell where. */
struct unwind_mark { uintptr_t pc, sp; struct unwind_mark *outer; };

static ALWAYS_INLINE struct unwind_mark unwind_mark_here(void)
{
	struct unwind_mark m = { 0, 0, 0 };
	cpu_here(&m.pc, &m.sp);
	return m;
}

static inline void unwind_mark_set(struct unwind_bounds *b, struct unwind_mark *m)
{
	m->outer = b->mark;
	b->mark = m;
}

static inline void unwind_mark_clear(struct unwind_bounds *b, struct unwind_mark *m)
{
	b->mark = m->outer;
}

/* Is the code at this address of a known object, which has no unwind rules for it? */
int unwind_blind(uintptr_t pc);
/* Where the main thread's stack begins: the address of argc. A stack that ends without rules this near to its beginning is whole. */
void unwind_set_top(uintptr_t top);

/* ---- between unwind.c and unwind_ARCH.c ---- */

/* Registers in the order of a struct rule. `valid`: one bit for each whose value is known. */
struct unwind_regs { uint64_t r[RULE_REGS]; uint64_t pc, valid; };

/* unwind_here saves the registers and comes here. */
unsigned unwind_walk(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut, struct unwind_regs *regs);

/* Is [addr, addr + n) readable? One system call per page. */
int unwind_readable(uintptr_t addr, uintptr_t n);
/* Does the code at pc return from a signal handler to the kernel? Up to 9 bytes at pc are readable. */
int unwind_is_trampoline(uintptr_t pc);
/* Offset of a register (RULE_REGS: pc) from the stack pointer in the trampoline's frame. */
unsigned unwind_context_offset(unsigned reg);
enum { UNWIND_CONTEXT = 176 };
/* Do the bytes before pc end in a call? 7 bytes before pc are readable. */
int unwind_follows_call(uintptr_t pc);

#endif
