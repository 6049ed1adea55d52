/* musl_code_x86_64.c: what x86-64 code of musl says of the address of the malloc lock. Every function that takes the lock also uses the
 * context, both relative to the instruction pointer, and passes the lock's address to __lock or __unlock: lea disp(%rip),%rdi; call. */
#include "inspect/allocator/musl.h"

#include <stdlib.h>
#include <string.h>

enum { RDI = 7, LEA = 7 /* bytes of the instruction */, FOLLOW = 12 /* bytes after it in which the call comes */, KEEP = 48 /* or the move to rdi */ };

static int32_t i32(const uint8_t *p) { int32_t v; memcpy(&v, p, sizeof v); return v; }

/* lea disp32(%rip), any 64-bit register */
static int is_lea(const uint8_t *p)
{
	return (p[0] == 0x48 || p[0] == 0x4c) && p[1] == 0x8d && (p[2] & 0xc7) == 0x05;
}

static struct musl_vote *vote_of(struct musl_vote *votes, size_t slots, uint64_t addr)
{
	size_t at = (size_t)(addr * 0x9e3779b97f4a7c15 >> 32) & (slots - 1);

	for (size_t i = 0; i < slots / 2; i++, at = (at + 1) & (slots - 1)) {
		if (!votes[at].addr) votes[at].addr = addr;
		if (votes[at].addr == addr) return &votes[at];
	}
	return NULL;
}

/* A call or a jump, within a libc's text: a stray byte leads anywhere. */
static int is_call(const uint8_t *code, size_t size, size_t at)
{
	if (at + 5 > size || (code[at] != 0xe8 && code[at] != 0xe9)) return 0;
	int64_t to = (int64_t)at + 5 + i32(code + at + 1);
	return to > -(1 << 24) && to < 1 << 24;
}

/* Is the loaded address a call's first argument? Loaded into rdi, with at most a short move before the call; or into a register that is
   kept, and moved to rdi right before a call soon after. */
static int calls(const uint8_t *code, size_t size, size_t lea)
{
	unsigned reg = (code[lea + 2] >> 3 & 7) | (code[lea] & 4) << 1;
	uint8_t move[3] = { (uint8_t)(0x48 | (reg & 8) >> 1), 0x89, (uint8_t)(0xc7 | (reg & 7) << 3) };

	if (reg == RDI) {
		for (size_t i = lea + LEA; i < lea + LEA + FOLLOW; i++)
			if (is_call(code, size, i)) return 1;
		return 0;
	}
	for (size_t i = lea + LEA; i + 3 < size && i < lea + LEA + KEEP; i++)
		if (!memcmp(code + i, move, sizeof move) && is_call(code, size, i + sizeof move)) return 1;
	return 0;
}

/* Is a field of the context used by the instruction whose displacement is at p? The displacement counts from the instruction's end, which an
   immediate operand may put off by a byte or four: at the edges of the context a use may be missed or made up, which does not matter. */
static int is_use(const uint8_t *p, uint64_t addr, uint64_t context)
{
	return addr + 4 + (uint64_t)(int64_t)i32(p) - context < sizeof(struct musl_context);
}

void musl_code_votes(const uint8_t *code, size_t size, size_t from, size_t to, uint64_t addr, uint64_t context,
                     struct musl_vote *votes, size_t slots)
{
	size_t seen = from;     /* loads before it have had their calls counted */

	for (size_t use = 0; use + 4 <= size; use++) {
		if (!is_use(code + use, addr + use, context)) continue;
		size_t i = use > from + MUSL_CODE_NEAR ? use - MUSL_CODE_NEAR : from;
		for (; i < to && i < use + MUSL_CODE_NEAR && i + LEA <= size; i++) {
			if (!is_lea(code + i)) continue;
			uint64_t target = addr + i + LEA + (uint64_t)(int64_t)i32(code + i + 3);
			if (target % 4 || target - context < sizeof(struct musl_context)) continue;
			struct musl_vote *v = vote_of(votes, slots, target);
			if (!v) continue;
			v->near++;
			if (i >= seen) v->calls += (uint32_t)calls(code, size, i);
		}
		if (i > seen) seen = i;
	}
}
