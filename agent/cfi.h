/* cfi.h: call frame instructions. For ehframe.c only. */
#ifndef AGENT_CFI_H
#define AGENT_CFI_H

#include <stdint.h>
#include "ehframe.h"

enum { CFI_RA = 16, CFI_SP = 7, CFI_DEPTH = 1, CFI_DEF_CFA_EXPRESSION = 0x0f, CFI_EXPRESSION = 0x10 };

/* Bytes to be read. A read past the end gives 0 and spoils the cursor: nothing can be read from it any more. */
struct cursor { const uint8_t *p, *end; };

static inline void cursor_spoil(struct cursor *c) { c->p = c->end = 0; }
static inline int cursor_bad(const struct cursor *c) { return !c->p; }
static inline uint64_t cursor_left(const struct cursor *c) { return (uint64_t)(c->end - c->p); }
void cursor_skip(struct cursor *c, uint64_t n);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_uleb(struct cursor *c);
int64_t cursor_sleb(struct cursor *c);
/* A pointer in one of the DW_EH_PE forms, `base` for those relative to the data. */
uint64_t cursor_encoded(struct cursor *c, unsigned encoding, uint64_t base);

/* One frame description being run. */
struct cfi {
	struct cursor cie, fde;         /* the instructions of both records */
	uint64_t pc;                    /* what expressions see */
	uint64_t loc;                   /* first address described, then of the row being made */
	uint32_t code_align;
	int32_t data_align;
	uint8_t encoding, sized, signal, bad, depth, pending;
	uint8_t plain;                  /* initially every register is still in its place, as compilers have it */
	uint8_t initial;                /* initial flags of the return address */
	struct rule *now, kept[CFI_DEPTH];
};

/* Runs the instructions from c into *f->now, while the row begins at or before `until`. Returns 1 when an expression comes next: that
   is for cfi_express, then it goes on. (The two are not nested to save stack.) First those common to many functions, with
   UINT64_MAX and then cfi_begin; then the function's own and cfi_finish, which gives 0, or -1 with RULE_NONE in the rule. */
int cfi_run(struct cfi *f, struct cursor *c, uint64_t until);
void cfi_express(struct cfi *f, struct cursor *c);
void cfi_begin(struct cfi *f);
int cfi_finish(struct cfi *f);
/* Place of a register in a rule by its DWARF number, -1: none. */
int cfi_place(uint64_t reg);

/* Saved at CFA + off; not to be known; the CFA is at register + off. */
void cfi_saved(struct rule *r, uint64_t reg, int64_t off);
void cfi_lose(struct rule *r, uint64_t reg);
void cfi_forget(struct rule *r, unsigned place);
void cfi_set(struct rule *r, uint64_t reg, int64_t off);

#endif
