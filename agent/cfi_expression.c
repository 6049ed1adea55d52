/* cfi_expression.c: the few DWARF expressions that call frame information is written with (PLT entries, realigned stacks, hand-written
 * assembly); see cfi.h. Run without registers: a value may be "register plus number", and pc is a number. */
#include "cfi.h"
#include "cc.h"
#include "sys.h"

enum { DEPTH = 3, NUMBER = -1, CFA = 17, PC = 18 };

/* A number, register + number, or what stands there in memory plus `add`. PC is the program counter plus a number, of which only some
   low bits can be asked for. Small on purpose: see UNWIND_STACK. */
struct value { int32_t n; int16_t add; int8_t reg; uint8_t deref; };

enum {
	DEREF = 0x06, CONST1U = 0x08, CONST1S, CONST2U, CONST2S, CONST4U, CONST4S, CONST8U, CONST8S, CONSTU, CONSTS,
	DROP = 0x13, AND = 0x1a, MINUS = 0x1c, MUL = 0x1e, OR = 0x21, PLUS = 0x22, PLUS_UCONST = 0x23,
	SHL = 0x24, SHR = 0x25, EQ = 0x29, GE, GT, LE, LT, NE,
	LIT0 = 0x30, BREG0 = 0x70, BREG31 = 0x8f, NOP = 0x96,
};

struct machine { struct value v[DEPTH]; unsigned n; uint64_t pc; };

static int push(struct machine *m, int reg, int64_t n)
{
	if (m->n == DEPTH || n != (int32_t)n) return -1;
	struct value *v = &m->v[m->n++];
	v->n = (int32_t)n;
	v->add = 0;
	v->reg = (int8_t)reg;
	v->deref = 0;
	return 0;
}

static int constant(struct cursor *c, unsigned op, int64_t *n)
{
	switch (op) {
	case CONST1U: *n = cursor_u8(c); return 0;
	case CONST1S: *n = (int8_t)cursor_u8(c); return 0;
	case CONST2U: *n = cursor_u16(c); return 0;
	case CONST2S: *n = (int16_t)cursor_u16(c); return 0;
	case CONST4U: *n = cursor_u32(c); return 0;
	case CONST4S: *n = (int32_t)cursor_u32(c); return 0;
	case CONST8U: case CONST8S: *n = (int64_t)cursor_u64(c); return 0;
	case CONSTU: *n = (int64_t)cursor_uleb(c); return 0;
	case CONSTS: *n = cursor_sleb(c); return 0;
	}
	return -1;
}

static int shift(struct value *v, int64_t by)
{
	int64_t n = (v->deref ? v->add : v->n) + (by == (int32_t)by ? by : INT32_MAX * 4LL);
	if (v->deref ? n != (int16_t)n : n != (int32_t)n) return -1;
	if (v->deref) v->add = (int16_t)n;
	else v->n = (int32_t)n;
	return 0;
}

static int calculate(unsigned op, int64_t a, int64_t b, int64_t *out)
{
	uint64_t x = (uint64_t)a, y = (uint64_t)b;
	switch (op) {
	case AND: *out = a & b; return 0;
	case OR: *out = a | b; return 0;
	case MUL: *out = (int64_t)(x * y); return 0;
	case SHL: *out = y < 64 ? (int64_t)(x << y) : 0; return 0;
	case SHR: *out = y < 64 ? (int64_t)(x >> y) : 0; return 0;
	case EQ: *out = a == b; return 0;
	case GE: *out = a >= b; return 0;
	case GT: *out = a > b; return 0;
	case LE: *out = a <= b; return 0;
	case LT: *out = a < b; return 0;
	case NE: *out = a != b; return 0;
	}
	return -1;
}

static int binary(struct machine *m, unsigned op)
{
	if (m->n < 2) return -1;
	struct value *a = &m->v[m->n - 2], *b = &m->v[m->n - 1];
	m->n--;
	if (op == PLUS && a->reg == NUMBER) {
		struct value t = *a;
		*a = *b;
		return shift(a, t.n);
	}
	if (b->reg != NUMBER) return -1;
	if (op == PLUS) return shift(a, b->n);
	if (op == MINUS) return shift(a, -(int64_t)b->n);
	if (op == AND && a->reg == PC && !a->deref && b->n >= 0) {
		a->n = (int32_t)((m->pc + (uint64_t)(int64_t)a->n) & (uint64_t)b->n);
		a->reg = NUMBER;
		return 0;
	}
	int64_t n;
	if (a->reg != NUMBER || calculate(op, a->n, b->n, &n) || n != (int32_t)n) return -1;
	a->n = (int32_t)n;
	return 0;
}

static int run_one(struct machine *m, struct cursor *c, unsigned op)
{
	int64_t n;
	if (op >= LIT0 && op < LIT0 + 32) return push(m, NUMBER, op - LIT0);
	if (op >= BREG0 && op <= BREG31) {
		n = cursor_sleb(c);
		return op - BREG0 <= CFI_RA ? push(m, op - BREG0 == CFI_RA ? PC : (int)(op - BREG0), n) : -1;
	}
	if (!constant(c, op, &n)) return push(m, NUMBER, n);
	if (op == NOP) return 0;
	if (!m->n) return -1;
	struct value *top = &m->v[m->n - 1];
	switch (op) {
	case DEREF:
		if (top->deref || top->reg < 0 || top->reg == PC) return -1;
		top->deref = 1;
		return 0;
	case DROP: m->n--; return 0;
	case PLUS_UCONST: return shift(top, (int64_t)cursor_uleb(c));
	default: return binary(m, op);
	}
}

/* Runs the expression of n bytes as far as it can be run without registers. Its value is the last of m. */
static ALWAYS_INLINE int evaluate(struct machine *m, struct cursor *c, uint64_t n, int cfa)
{
	int failed = 0;
	if (cursor_bad(c) || n > cursor_left(c)) {
		cursor_spoil(c);
		return -1;
	}
	const uint8_t *end = c->end, *after = c->p + n;
	c->end = after;
	m->n = 0;
	if (cfa) push(m, CFA, 0);
	while (c->p < c->end && !failed) failed = run_one(m, c, cursor_u8(c));
	failed |= cursor_bad(c) || !m->n;
	c->p = after;                   /* whatever the expression says, the instruction after it is known */
	c->end = end;
	return failed ? -1 : 0;
}

/* Saved where an expression says: at a distance from some register that the function keeps. */
static ALWAYS_INLINE void save(struct rule *r, uint64_t reg, const struct value *v)
{
	int i = cfi_place(reg), base = v->reg < 0 ? -1 : cfi_place((uint64_t)v->reg);
	if (v->reg == CFA && !v->deref) {
		cfi_saved(r, reg, v->n);
	} else if (v->deref || i < 0 || i >= RULE_SAVED || base < 0 || v->n % 8 || v->n / 8 != (int16_t)(v->n / 8) ||
	           ((r->based & ~(1u << i)) && r->cfa >> 4 != base)) {
		cfi_lose(r, reg);
	} else {
		cfi_forget(r, (unsigned)i);
		r->reg[i] = (int16_t)(v->n / 8);
		r->based |= (uint8_t)(1u << i);
		r->cfa = (uint8_t)((r->cfa & 15) | base << 4);
	}
}

void cfi_express(struct cfi *f, struct cursor *c)
{
	struct machine m;
	struct rule *r = f->now;
	int of_cfa = f->pending == CFI_DEF_CFA_EXPRESSION;
	uint64_t reg = of_cfa ? 0 : cursor_uleb(c), n = cursor_uleb(c);
	m.pc = f->pc;
	f->pending = 0;
	int failed = evaluate(&m, c, n, !of_cfa);
	const struct value *v = &m.v[failed ? 0 : m.n - 1];
	if (!of_cfa && failed) {
		cfi_lose(r, reg);
	} else if (!of_cfa) {
		save(r, reg, v);
	} else if (failed || v->reg < 0 || v->reg >= CFA) {
		r->flags |= RULE_NO_CFA;
	} else {
		cfi_set(r, (uint64_t)v->reg, v->n);
		if (v->deref) r->flags |= RULE_DEREF;
		r->add = v->add;
	}
}
