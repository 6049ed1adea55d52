/* unwind.h: stacks of a thread from its registers and a copy of its stack: nothing is stopped while it is worked out. libdw
 * does the work where there is unwind information; where there is none (musl's libc has none) the stack is
 * scanned, strictly: see scan.h. May be called from several threads. */
#ifndef ALLOCTOP_UNWIND_H
#define ALLOCTOP_UNWIND_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct target;
struct unwinder;

/* x86-64. UNWIND_ARG: the first two arguments of a system call that the thread is in; UNWIND_RETURN: where it will return to.
   UNWIND_REST: all but SP and PC, as bits. */
enum { UNWIND_REGS = 17, UNWIND_SP = 7, UNWIND_PC = 16, UNWIND_ARG0 = 5, UNWIND_ARG1 = 4, UNWIND_RETURN = 2, UNWIND_STACK = 16 << 10 };
enum { UNWIND_REST = ((1 << UNWIND_REGS) - 1) & ~(1 << UNWIND_SP | 1 << UNWIND_PC) };

/* In the order of DWARF: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip. A bit in `unknown`: a register that must not be used; never SP or PC. */
struct unwind_sample { uint64_t reg[UNWIND_REGS]; unsigned unknown; const uint8_t *stack; size_t n; /* bytes from the stack pointer on */ };

/* t must outlive it. Never NULL. */
struct unwinder *unwind_open(const struct target *t);
void unwind_close(struct unwinder *u);
/* What a walk came to. whole: to where the thread began, not to where there is no rule, or no more of the stack, or of room. wants: a register
   that is not known was wanted; from there on it was scanned. */
struct unwound {
	unsigned n;             /* addresses, at least 1 */
	unsigned scanned;       /* so many from the innermost on come from scanning, or from behind it */
	int whole, wants;
};
/* Addresses, innermost first, at most max. */
struct unwound unwind_stack(struct unwinder *u, const struct unwind_sample *s, uint64_t *pc, unsigned max);

#endif
