/* cfi.h: call frame instructions. For ehframe.c only. */
#ifndef AGENT_CFI_H
#define AGENT_CFI_H

#include <stdint.h>
#include "ehframe.h"

enum { CFI_RA = 16, CFI_SP = 7, CFI_DEPTH = 2 };

/* Bytes to be read. Past the end every read gives 0 and sets `bad`. */
struct cursor { const uint8_t *p, *end; int bad; };

uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_uleb(struct cursor *c);
int64_t cursor_sleb(struct cursor *c);
/* A pointer in one of the DW_EH_PE forms, `base` for those relative to the data. */
uint64_t cursor_encoded(struct cursor *c, unsigned encoding, uint64_t base);

/* One frame description being run. The first part is filled by the caller. */
struct cfi {
	uint64_t pc;                    /* what expressions see */
	uint64_t loc;                   /* first address described, then of the row being made */
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding, sized, signal, bad, depth;
	struct rule *now, initial, kept[CFI_DEPTH];
};

/* Runs the instructions from c into *f->now, while the row begins at or before `until`. First those common to many functions, with
   UINT64_MAX; *f->now is then the initial rule. */
void cfi_run(struct cfi *f, struct cursor *c, uint64_t until);
/* Completes the rule. 0, or -1 with RULE_NONE in its flags. */
int cfi_finish(struct cfi *f);
/* Place of a register in a rule by its DWARF number, -1: none. */
int cfi_place(uint64_t reg);

/* A value while an expression runs: number, register + number, or what stands there in memory plus `add`. */
struct cfi_value { int64_t n; int32_t add; int8_t reg; uint8_t deref; };
enum { CFI_NUMBER = -1, CFI_CFA = 17 };

/* Runs a DWARF expression of `n` bytes as far as it can be run without registers. `cfa`: begin with the CFA on the stack. */
int cfi_expression(struct cursor *c, uint64_t n, uint64_t pc, int cfa, struct cfi_value *out);

#endif
