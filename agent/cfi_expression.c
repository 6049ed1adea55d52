/* cfi_expression.c: the few DWARF expressions that call frame information is written with (PLT entries, realigned stacks, hand-written
 * assembly); see cfi.h. Run without registers: a value may be "register plus number", and pc is a number. */
#include "cfi.h"
#include "cc.h"
#include "sys.h"

enum { DEPTH = 4 };

enum {
	DEREF = 0x06, CONST1U = 0x08, CONST1S, CONST2U, CONST2S, CONST4U, CONST4S, CONST8U, CONST8S, CONSTU, CONSTS,
	DUP = 0x12, DROP = 0x13, SWAP = 0x16, AND = 0x1a, MINUS = 0x1c, MUL = 0x1e, OR = 0x21, PLUS = 0x22, PLUS_UCONST = 0x23,
	SHL = 0x24, SHR = 0x25, EQ = 0x29, GE, GT, LE, LT, NE,
	LIT0 = 0x30, BREG0 = 0x70, BREG31 = 0x8f, NOP = 0x96,
};

struct machine { struct cfi_value v[DEPTH]; unsigned n; uint64_t pc; };

static int push(struct machine *m, int reg, int64_t n)
{
	if (m->n == DEPTH) return -1;
	m->v[m->n++] = (struct cfi_value){ n, 0, (int8_t)reg, 0 };
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

static int shift(struct cfi_value *v, int64_t by)
{
	if (by < INT32_MIN / 2 || by > INT32_MAX / 2 || v->n > INT64_MAX / 2 || v->n < INT64_MIN / 2) return -1;
	if (v->deref) v->add += (int32_t)by;
	else v->n += by;
	return v->add > INT32_MAX / 2 || v->add < INT32_MIN / 2 ? -1 : 0;
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
	struct cfi_value *a = &m->v[m->n - 2], *b = &m->v[m->n - 1];
	m->n--;
	if (op == PLUS && a->reg == CFI_NUMBER) {
		struct cfi_value t = *a;
		*a = *b;
		return shift(a, t.n);
	}
	if (b->reg != CFI_NUMBER) return -1;
	if (op == PLUS) return shift(a, b->n);
	if (op == MINUS) return b->n == INT64_MIN ? -1 : shift(a, -b->n);
	return a->reg == CFI_NUMBER ? calculate(op, a->n, b->n, &a->n) : -1;
}

static int run_one(struct machine *m, struct cursor *c, unsigned op)
{
	int64_t n;
	if (op >= LIT0 && op < LIT0 + 32) return push(m, CFI_NUMBER, op - LIT0);
	if (op >= BREG0 && op <= BREG31) {
		n = cursor_sleb(c);
		if (op - BREG0 == CFI_RA) return push(m, CFI_NUMBER, (int64_t)(m->pc + (uint64_t)n));
		return op - BREG0 < CFI_RA ? push(m, (int)(op - BREG0), n) : -1;
	}
	if (!constant(c, op, &n)) return push(m, CFI_NUMBER, n);
	if (op == NOP) return 0;
	if (!m->n) return -1;
	struct cfi_value *top = &m->v[m->n - 1], t = *top;
	switch (op) {
	case DEREF:
		if (top->deref || top->reg < 0) return -1;
		top->deref = 1;
		return 0;
	case DUP:
		if (m->n == DEPTH) return -1;
		m->v[m->n++] = t;
		return 0;
	case DROP: m->n--; return 0;
	case SWAP:
		if (m->n < 2) return -1;
		*top = top[-1];
		top[-1] = t;
		return 0;
	case PLUS_UCONST: return shift(top, (int64_t)cursor_uleb(c));
	default: return binary(m, op);
	}
}

int cfi_expression(struct cursor *c, uint64_t n, uint64_t pc, int cfa, struct cfi_value *out)
{
	struct machine m;
	const uint8_t *end = c->end;
	int failed = 0;
	m.n = 0;
	m.pc = pc;
	if (n > (uintptr_t)(end - c->p)) {
		c->bad = 1;
		return -1;
	}
	const uint8_t *after = c->p + n;
	c->end = after;
	if (cfa) push(&m, CFI_CFA, 0);
	while (c->p < after && !failed) failed = run_one(&m, c, cursor_u8(c));
	failed |= c->bad || !m.n;
	if (!failed) *out = m.v[m.n - 1];
	c->p = after;                   /* whatever the expression says, the instruction after it is known */
	c->end = end;
	c->bad = 0;
	return failed ? -1 : 0;
}
