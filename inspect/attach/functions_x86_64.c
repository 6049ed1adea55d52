/* functions_x86_64.c: see functions.h: what x86-64 code says of where it leads, and how musl's allocator looks in it.
 *
 * musl (src/malloc/mallocng, 1.2.1 to 1.2.5): malloc, free and realloc of the program are tail calls of __libc_malloc_impl, __libc_free and
 * __libc_realloc, which nobody else calls but the allocator itself. Those three all come to the context, and each shows what no other function
 * does: malloc compares its first argument with the largest size there is, realloc its second; free tests its first argument and reads the
 * byte three before it. aligned_alloc calls __libc_malloc_impl directly, and begins by looking for the lowest bit of its first argument. */
#include "inspect/attach/functions.h"

#include <Zydis/Zydis.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/xalloc.h"

enum { HEAD = 24 /* instructions looked at from an entry on */, ENDBR = 4, JUMP = 5, FUNCTION_MAX = 1 << 14, TARGETS_MAX = 1 << 20 };
#define SIZE_LIMIT 0x7fffffffffffeffeull        /* SIZE_MAX / 2 - 4096, less one: meta.h, size_overflows */

struct insn { ZydisDecodedInstruction z; ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT]; uint64_t at, next; };

static int decode(const ZydisDecoder *d, const struct code *c, uint64_t at, struct insn *i)
{
	if (at < c->at || at - c->at >= c->size) return -1;
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(d, c->bytes + (at - c->at), c->size - (at - c->at), &i->z, i->operand))) return -1;
	i->at = at;
	i->next = at + i->z.length;
	return 0;
}

static void decoder(ZydisDecoder *d)
{
	ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

/* Where a relative branch leads; 0: it is none. */
static uint64_t branch(const struct insn *i)
{
	uint64_t to = 0;

	for (unsigned k = 0; k < i->z.operand_count; k++)
		if (i->operand[k].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->operand[k].imm.is_relative) ZydisCalcAbsoluteAddress(&i->z, &i->operand[k], i->at, &to);
	return to;
}

static int ends(const struct insn *i)
{
	return i->z.meta.category == ZYDIS_CATEGORY_RET || i->z.meta.category == ZYDIS_CATEGORY_UNCOND_BR || i->z.mnemonic == ZYDIS_MNEMONIC_UD2;
}

/* ---- where a function leads ---------------------------------------------------------------------------------------------------------------- */

size_t functions_calls(const struct code *text, uint64_t function, uint64_t size, uint64_t *to, size_t max)
{
	ZydisDecoder d;
	struct insn i;
	uint64_t furthest = function, end = function + (size ? size : FUNCTION_MAX);
	size_t n = 0;

	decoder(&d);
	for (uint64_t at = function; at < end && n < max && !decode(&d, text, at, &i); at = i.next) {
		uint64_t t = branch(&i);
		int leaves = t && (size ? t < function || t >= function + size : t < function || t > at + FUNCTION_MAX || (ends(&i) && t > furthest));
		if (t && (i.z.mnemonic == ZYDIS_MNEMONIC_CALL || leaves)) to[n++] = t;
		else if (t > furthest) furthest = t;
		if (!size && ends(&i) && i.next > furthest) break;
	}
	return n;
}

/* ---- musl ------------------------------------------------------------------------------------------------------------------------------------------ */

/* What the first instructions of a function do with its arguments. */
struct head { int limits[2] /* compares it with the largest size */, tests_first, reads_before_first, negates_first; };

/* Registers that hold a copy of an argument, or the limit. */
struct copies { uint32_t argument[2], limit; };

static uint32_t bit(ZydisRegister r)
{
	int id = ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r));
	ZydisRegisterClass class = ZydisRegisterGetClass(r);

	if (class != ZYDIS_REGCLASS_GPR64 && class != ZYDIS_REGCLASS_GPR32 && class != ZYDIS_REGCLASS_GPR16 && class != ZYDIS_REGCLASS_GPR8) return 0;
	return id >= 0 && id < 16 ? 1u << id : 0;
}

static uint32_t operand_bit(const ZydisDecodedOperand *o)
{
	return o->type == ZYDIS_OPERAND_TYPE_REGISTER ? bit(o->reg.value) : 0;
}

/* A whole register was written: what it held is gone, and it may be a copy now. */
static void written(struct copies *c, const struct insn *i)
{
	uint32_t to = operand_bit(&i->operand[0]), from = i->z.operand_count_visible > 1 ? operand_bit(&i->operand[1]) : 0;
	int is_move = i->z.mnemonic == ZYDIS_MNEMONIC_MOV && i->operand[0].size == 64;
	uint32_t *set[] = { &c->argument[0], &c->argument[1], &c->limit };

	if (!to || !(i->operand[0].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) return;
	for (unsigned k = 0; k < 3; k++) {
		int copied = is_move && from && *set[k] & from;
		*set[k] = copied ? *set[k] | to : *set[k] & ~to;
	}
	if (is_move && i->operand[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && i->operand[1].imm.value.u == SIZE_LIMIT) c->limit |= to;
}

static void look(struct head *h, const struct copies *c, const struct insn *i)
{
	uint32_t a = operand_bit(&i->operand[0]), b = i->z.operand_count_visible > 1 ? operand_bit(&i->operand[1]) : 0;

	switch (i->z.mnemonic) {
	case ZYDIS_MNEMONIC_CMP:
		for (unsigned k = 0; k < 2; k++) h->limits[k] |= (a & c->argument[k] && b & c->limit) || (b & c->argument[k] && a & c->limit);
		break;
	case ZYDIS_MNEMONIC_TEST: h->tests_first |= a && a == b && a & c->argument[0]; break;
	case ZYDIS_MNEMONIC_NEG: h->negates_first |= (a & c->argument[0]) != 0; break;
	default: break;
	}
	for (unsigned k = 0; k < i->z.operand_count_visible; k++) {
		const ZydisDecodedOperand *o = &i->operand[k];
		if (o->type != ZYDIS_OPERAND_TYPE_MEMORY || i->z.mnemonic == ZYDIS_MNEMONIC_LEA) continue;
		h->reads_before_first |= o->mem.index == ZYDIS_REGISTER_NONE && bit(o->mem.base) & c->argument[0] && o->mem.disp.value == -3;
	}
}

static struct head head_of(const struct code *text, uint64_t function)
{
	enum { RDI = 7, RSI = 6 };
	struct copies c = { { 1u << RDI, 1u << RSI }, 0 };
	struct head h = { 0 };
	struct insn i;
	ZydisDecoder d;

	decoder(&d);
	uint64_t at = function;
	for (unsigned n = 0; n < HEAD && !decode(&d, text, at, &i) && i.z.meta.category != ZYDIS_CATEGORY_RET; n++, at = i.next) {
		look(&h, &c, &i);
		written(&c, &i);
		if (ends(&i)) break;
	}
	return h;
}

/* Does the function, or one that it calls, refer to the context? */
static int comes_to(const struct code *text, uint64_t function, uint64_t context, uint64_t size, unsigned depth)
{
	uint64_t call[64];
	struct insn i;
	ZydisDecoder d;
	uint64_t furthest = function;

	decoder(&d);
	for (uint64_t at = function; at < function + FUNCTION_MAX && !decode(&d, text, at, &i); at = i.next) {
		uint64_t t = branch(&i), to;
		for (unsigned k = 0; k < i.z.operand_count_visible; k++) {
			const ZydisDecodedOperand *o = &i.operand[k];
			if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_RIP &&
			    !ZYAN_FAILED(ZydisCalcAbsoluteAddress(&i.z, o, at, &to)) && to - context < size) return 1;
		}
		if (t && i.z.mnemonic != ZYDIS_MNEMONIC_CALL && t > furthest && t < function + FUNCTION_MAX) furthest = t;
		if (ends(&i) && i.next > furthest) break;
	}
	size_t n = depth ? functions_calls(text, function, 0, call, 64) : 0;
	for (size_t k = 0; k < n; k++)
		if (comes_to(text, call[k], context, size, depth - 1)) return 1;
	return 0;
}

/* Where calls and jumps lead in all of the text, ascending, each once. */
struct targets { uint64_t *at; size_t n; };

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static struct targets targets_of(const struct code *text)
{
	struct targets t = { 0 };
	struct insn i;
	ZydisDecoder d;
	size_t n = 0;

	decoder(&d);
	for (uint64_t at = text->at; at < text->at + text->size && t.n < TARGETS_MAX; at = i.next) {
		if (decode(&d, text, at, &i)) {
			i.next = at + 1;
			continue;
		}
		uint64_t to = i.z.mnemonic == ZYDIS_MNEMONIC_CALL || i.z.mnemonic == ZYDIS_MNEMONIC_JMP ? branch(&i) : 0;
		if (to < text->at || to - text->at >= text->size) continue;
		if (!(t.n & (t.n - 1))) t.at = xreallocarray(t.at, t.n ? 2 * t.n : 1, sizeof *t.at);
		t.at[t.n++] = to;
	}
	if (t.n) qsort(t.at, t.n, sizeof *t.at, by_address);
	for (size_t k = 0; k < t.n; k++)
		if (!n || t.at[n - 1] != t.at[k]) t.at[n++] = t.at[k];
	t.n = n;
	return t;
}

/* Is there nothing at a place but a tail call? Where to; 0: something else. Functions begin at multiples of 16, and padding follows. */
static uint64_t tail_call(const struct code *text, uint64_t at)
{
	ZydisDecoder d;
	struct insn i;

	decoder(&d);
	if (decode(&d, text, at, &i)) return 0;
	if (i.z.mnemonic == ZYDIS_MNEMONIC_ENDBR64 && decode(&d, text, i.next, &i)) return 0;
	uint64_t to = i.z.mnemonic == ZYDIS_MNEMONIC_JMP && i.z.length == JUMP ? branch(&i) : 0;
	if (!to || decode(&d, text, i.next, &i)) return 0;
	return i.z.mnemonic == ZYDIS_MNEMONIC_NOP || i.z.mnemonic == ZYDIS_MNEMONIC_INT3 ? to : 0;
}

/* The one function behind wrappers of its kind. */
struct kind { uint64_t implementation, wrapper[2]; unsigned wrappers, implementations; };

static void take_wrapper(struct kind *k, uint64_t wrapper, uint64_t implementation)
{
	if (k->implementation != implementation) k->implementations++;
	k->implementation = implementation;
	if (k->wrappers < 2) k->wrapper[k->wrappers] = wrapper;
	k->wrappers++;
}

static int certain(const struct kind *k) { return k->implementations == 1 && k->wrappers <= 2; }

/* The one function that calls malloc's implementation by itself and begins by negating its first argument. */
static uint64_t find_aligned(const struct code *text, const struct targets *t, uint64_t implementation)
{
	uint64_t found = 0, to[64];

	for (size_t i = 0; i < t->n; i++) {
		if (t->at[i] % 16 || !head_of(text, t->at[i]).negates_first) continue;
		size_t n = functions_calls(text, t->at[i], 0, to, 64);
		for (size_t k = 0; k < n; k++) {
			if (to[k] != implementation || found == t->at[i]) continue;
			if (found) return 0;
			found = t->at[i];
		}
	}
	return found;
}

/* The wrappers side by side: __libc_malloc is often called by nobody, so no branch tells of it. */
static uint64_t neighbour(const struct code *text, const struct kind *k)
{
	for (int step = -16; step <= 16; step += 32)
		if (tail_call(text, k->wrapper[0] + (uint64_t)(int64_t)step) == k->implementation) return k->wrapper[0] + (uint64_t)(int64_t)step;
	return 0;
}

uint64_t functions_tail_call(const struct code *text, uint64_t function)
{
	return tail_call(text, function);
}

int functions_musl(const struct code *text, uint64_t context, uint64_t context_size, struct functions_musl *out)
{
	struct targets t = targets_of(text);
	struct kind malloc_kind = { 0 }, free_kind = { 0 }, realloc_kind = { 0 };

	*out = (struct functions_musl){ 0 };
	for (size_t i = 0; i < t.n; i++) {
		uint64_t to = tail_call(text, t.at[i]);
		if (!to || !comes_to(text, to, context, context_size, 1)) continue;
		struct head h = head_of(text, to);
		if (h.limits[0]) take_wrapper(&malloc_kind, t.at[i], to);
		else if (h.limits[1]) take_wrapper(&realloc_kind, t.at[i], to);
		else if (h.tests_first && h.reads_before_first) take_wrapper(&free_kind, t.at[i], to);
	}
	int good = certain(&malloc_kind) && certain(&free_kind) && realloc_kind.implementations <= 1;
	if (good) {
		if (malloc_kind.wrappers == 1) malloc_kind.wrapper[1] = neighbour(text, &malloc_kind);
		memcpy(out->malloc, malloc_kind.wrapper, sizeof out->malloc);
		out->free = free_kind.implementation;
		out->realloc = realloc_kind.implementation;
		out->aligned_alloc = find_aligned(text, &t, malloc_kind.implementation);
	}
	free(t.at);
	return good ? 0 : -1;
}
