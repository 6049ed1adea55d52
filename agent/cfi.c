/* cfi.c: runs call frame instructions (DWARF 5, 6.4.2) into a struct rule; see cfi.h. What a rule cannot say makes it RULE_NONE, what
 * it cannot say of one register makes that register lost. */
#include "cfi.h"
#include "cc.h"
#include "sys.h"

/* In place: a call would cost stack. */
#define COPY(to, from) __builtin_memcpy(to, from, sizeof(struct rule))

enum {
	ADVANCE = 0x40, OFFSET = 0x80, RESTORE = 0xc0,          /* with an operand in the low six bits */
	NOP = 0x00, SET_LOC, ADVANCE1, ADVANCE2, ADVANCE4, OFFSET_EXTENDED, RESTORE_EXTENDED, UNDEFINED, SAME_VALUE, REGISTER,
	REMEMBER, RECALL, DEF_CFA, DEF_CFA_REGISTER, DEF_CFA_OFFSET, DEF_CFA_EXPRESSION = CFI_DEF_CFA_EXPRESSION, EXPRESSION = CFI_EXPRESSION, OFFSET_EXTENDED_SF, DEF_CFA_SF,
	DEF_CFA_OFFSET_SF, VAL_OFFSET, VAL_OFFSET_SF, VAL_EXPRESSION,
	GNU_ARGS_SIZE = 0x2e, GNU_NEGATIVE_OFFSET = 0x2f,
};

/* rbx, rbp, r12 to r15; rsp. */
int cfi_place(uint64_t reg)
{
	static const int8_t place[16] = { -1, -1, -1, 0, -1, -1, RULE_FP, RULE_SP, -1, -1, -1, -1, 2, 3, 4, 5 };
	return reg < 16 ? place[reg] : -1;
}

static int index_of(uint64_t reg)
{
	int i = cfi_place(reg);
	return i < RULE_SAVED ? i : -1;
}

void cfi_forget(struct rule *r, unsigned i)
{
	r->reg[i] = 0;
	r->based &= (uint8_t)~(1u << i);
	r->lost &= (uint8_t)~(1u << i);
}

/* The register's value is gone, or somewhere a rule cannot name. The return address and stack pointer matter always. */
void cfi_lose(struct rule *r, uint64_t reg)
{
	int i = index_of(reg);
	if (reg == CFI_RA || reg == CFI_SP) r->flags |= RULE_NONE;
	if (i < 0) return;
	cfi_forget(r, (unsigned)i);
	r->lost |= (uint8_t)(1u << i);
}

/* Saved at CFA + off. */
void cfi_saved(struct rule *r, uint64_t reg, int64_t off)
{
	int i = index_of(reg);
	if (reg == CFI_RA) {
		r->flags &= (uint8_t)~(RULE_LAST | RULE_NONE);
		if (off != -8) r->flags |= RULE_NONE;
	} else if (i < 0) {
		if (reg == CFI_SP) r->flags |= RULE_NONE;
	} else {
		int fits = off < 0 && off >= INT16_MIN * 8 && off % 8 == 0;
		cfi_forget(r, (unsigned)i);
		if (fits) r->reg[i] = (int16_t)(off / 8);
		else r->lost |= (uint8_t)(1u << i);
	}
}

static void set_same(struct rule *r, uint64_t reg)
{
	int i = index_of(reg);
	if (i >= 0) cfi_forget(r, (unsigned)i);
	else if (reg == CFI_RA) r->flags |= RULE_NONE;
}

static void undefine(struct rule *r, uint64_t reg)
{
	if (reg == CFI_RA) r->flags |= RULE_LAST;
	else cfi_lose(r, reg);
}

static void restore(struct cfi *f, uint64_t reg)
{
	struct rule *r = f->now;
	int i = index_of(reg);
	if (reg == CFI_RA) r->flags = (uint8_t)((r->flags & ~(RULE_LAST | RULE_NONE)) | f->initial);
	if (i < 0) return;
	if (f->plain) cfi_forget(r, (unsigned)i);
	else cfi_lose(r, reg);
}

static void set_cfa_register(struct rule *r, uint64_t reg)
{
	int place = cfi_place(reg);
	if (place < 0 || r->flags & RULE_DEREF) r->flags |= RULE_NO_CFA;
	else r->cfa = (uint8_t)((r->cfa & 0xf0) | place);
}

static void set_cfa_offset(struct rule *r, int64_t off)
{
	if (off != (int32_t)off || r->flags & RULE_DEREF) r->flags |= RULE_NONE;
	r->off = (int32_t)off;
}

void cfi_set(struct rule *r, uint64_t reg, int64_t off)
{
	r->flags &= (uint8_t)~(RULE_DEREF | RULE_NO_CFA);
	r->add = 0;
	set_cfa_register(r, reg);
	set_cfa_offset(r, off);
}

static void keep(struct cfi *f, struct cursor *c)
{
	if (f->depth == CFI_DEPTH) cursor_spoil(c);
	else COPY(&f->kept[f->depth++], f->now);
}

static void recall(struct cfi *f, struct cursor *c)
{
	if (!f->depth) cursor_spoil(c);
	else COPY(f->now, &f->kept[--f->depth]);
}

static void advance(struct cfi *f, uint64_t n)
{
	f->loc += n * f->code_align;
}

static int64_t scale(const struct cfi *f, uint64_t n)
{
	return (int64_t)(n * (uint64_t)(int64_t)f->data_align);
}

static void run_one(struct cfi *f, struct cursor *c, unsigned op)
{
	struct rule *r = f->now;
	uint64_t reg;
	switch (op) {
	case NOP: break;
	case SET_LOC: f->loc = cursor_encoded(c, f->encoding, 0); break;
	case ADVANCE1: advance(f, cursor_u8(c)); break;
	case ADVANCE2: advance(f, cursor_u16(c)); break;
	case ADVANCE4: advance(f, cursor_u32(c)); break;
	case OFFSET_EXTENDED: reg = cursor_uleb(c); cfi_saved(r, reg, scale(f, cursor_uleb(c))); break;
	case OFFSET_EXTENDED_SF: reg = cursor_uleb(c); cfi_saved(r, reg, scale(f, (uint64_t)cursor_sleb(c))); break;
	case GNU_NEGATIVE_OFFSET: reg = cursor_uleb(c); cfi_saved(r, reg, scale(f, -cursor_uleb(c))); break;
	case RESTORE_EXTENDED: restore(f, cursor_uleb(c)); break;
	case UNDEFINED: undefine(r, cursor_uleb(c)); break;
	case SAME_VALUE: set_same(r, cursor_uleb(c)); break;
	case REGISTER: case VAL_OFFSET: case VAL_OFFSET_SF: cfi_lose(r, cursor_uleb(c)); cursor_uleb(c); break;
	case REMEMBER: keep(f, c); break;
	case RECALL: recall(f, c); break;
	case DEF_CFA: reg = cursor_uleb(c); cfi_set(r, reg, (int64_t)cursor_uleb(c)); break;
	case DEF_CFA_SF: reg = cursor_uleb(c); cfi_set(r, reg, scale(f, (uint64_t)cursor_sleb(c))); break;
	case DEF_CFA_REGISTER: set_cfa_register(r, cursor_uleb(c)); break;
	case DEF_CFA_OFFSET: set_cfa_offset(r, (int64_t)cursor_uleb(c)); break;
	case DEF_CFA_OFFSET_SF: set_cfa_offset(r, scale(f, (uint64_t)cursor_sleb(c))); break;
	case DEF_CFA_EXPRESSION: case EXPRESSION: f->pending = (uint8_t)op; break;
	case VAL_EXPRESSION: cfi_lose(r, cursor_uleb(c)); cursor_skip(c, cursor_uleb(c)); break;
	case GNU_ARGS_SIZE: cursor_uleb(c); break;
	default: cursor_spoil(c);
	}
}

int cfi_run(struct cfi *f, struct cursor *c, uint64_t until)
{
	while (c->p < c->end && !f->pending && f->loc <= until) {
		unsigned op = cursor_u8(c), low = op & 0x3f;
		switch (op & 0xc0) {
		case ADVANCE: advance(f, low); break;
		case OFFSET: cfi_saved(f->now, low, scale(f, cursor_uleb(c))); break;
		case RESTORE: restore(f, low); break;
		default: run_one(f, c, op);
		}
	}
	if (cursor_bad(c)) f->bad = 1;
	return f->pending;
}

void cfi_begin(struct cfi *f)
{
	struct rule *r = f->now;
	f->initial = r->flags & (RULE_LAST | RULE_NONE);
	f->plain = !(r->based | r->lost);
	for (unsigned i = 0; i < RULE_SAVED; i++) f->plain &= !r->reg[i];
}

int cfi_finish(struct cfi *f)
{
	struct rule *r = f->now;
	if (f->bad || r->flags & RULE_NO_CFA) r->flags |= RULE_NONE;
	if (r->flags & RULE_LAST) r->flags = RULE_LAST;
	if (f->signal) r->flags |= RULE_EXACT;
	if (r->based | r->lost) r->flags |= RULE_ODD;
	r->low = -1;
	for (unsigned i = 0; i < RULE_SAVED; i++)
		if (!(r->based >> i & 1) && r->reg[i] < r->low) r->low = r->reg[i];
	return r->flags & RULE_NONE ? -1 : 0;
}
