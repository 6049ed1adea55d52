/* ehframe.h: from a code address to the rule that steps out of its function, by the compiler's own call frame information
 * (.eh_frame, DWARF 5 section 6.4 and the LSB's exception frames). Reads nothing but the module's tables, each byte checked to lie
 * in the module and each page proven readable first; no memory, no locks, bounded. Knows no registers' values: a rule is data. */
#ifndef AGENT_EHFRAME_H
#define AGENT_EHFRAME_H

#include <stdint.h>

struct module;

/* A rule names registers by place: 0 to RULE_SAVED - 1 are those that a function gives back as it found them, then comes the stack
   pointer. No other register's value is known on the way up. */
enum { RULE_SAVED = 6, RULE_FP = 1, RULE_SP = RULE_SAVED, RULE_REGS };

enum rule_flag {
	RULE_DEREF = 1,                 /* CFA = *(register + off) + add, else register + off */
	RULE_LAST = 2,                  /* the outermost function: nothing called it */
	RULE_NONE = 4,                  /* there is no rule, or none that is understood */
	RULE_KERNEL = 8,                /* the kernel's signal frame: all registers stand in the ucontext at the stack pointer */
	RULE_EXACT = 16,                /* the caller was interrupted: its address is that of an instruction, not one after a call */
	RULE_ODD = 32,                  /* `based` or `lost` is not zero */
	RULE_NO_CFA = 64,               /* with RULE_NONE: the CFA is not understood */
	RULE_ABSENT = 128,              /* with RULE_NONE: nothing describes this code */
};

/* The return address is always the word below the CFA. Offsets of registers count words of 8 bytes. */
struct rule {
	int32_t off;
	int16_t low;                    /* lowest of the words counted from the CFA: at most -1 */
	uint8_t cfa;                    /* register of the CFA, and of `based` << 4 */
	uint8_t flags;                  /* 0: the common case */
	int16_t reg[RULE_SAVED];        /* saved there, counted from the CFA; 0: still in the register */
	uint8_t based;                  /* bit i: reg[i] counts from the register cfa >> 4 instead, 0 included */
	uint8_t lost;                   /* bit i: the caller's value cannot be known */
	int16_t add;
};

_Static_assert(sizeof(struct rule) == 24, "the cache keeps a rule in three words");

/* The rule for an address in module m. `exact`: pc is an instruction's own address; else it is a return address, which may stand
   past the end of its function. Always fills *out; flags RULE_NONE when there is none. Returns 0 when there is one. */
int ehframe_rule(const struct module *m, uintptr_t pc, int exact, struct rule *out);

/* Finds .eh_frame between two addresses of m by its looks. 0: not found. */
uintptr_t ehframe_search(const struct module *m, uintptr_t lo, uintptr_t hi);

#endif
