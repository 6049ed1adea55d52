/* entry_x86_64.c: see entry.h. Zydis decodes; operands that count from the instruction pointer are counted anew, branches get their longest
 * form, and everything else is copied as it is. */
#include "inspect/attach/entry.h"

#include <Zydis/Zydis.h>
#include <string.h>

#include "inspect/target/err.h"

enum {
	INSTRUCTION_MAX = 15, ENDBR = 4,
	FAR_JUMP = 14 /* jmp *(%rip), and the address */, NEAR = 5, CALL = 5 + 7 + 8 /* room on the stack, and the address in two halves */,
};

static const uint8_t endbr64[ENDBR] = { 0xf3, 0x0f, 0x1e, 0xfa };

/* One decoded instruction of the function. */
struct insn {
	ZydisDecodedInstruction z;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	uint64_t at, next;
	uint64_t target;                /* of a branch, or what is addressed by the instruction pointer; 0: neither */
	int is_branch;                  /* relative */
};

/* The trampoline as it is written. */
struct out { struct entry_plan *p; int full; };

static int decode(const uint8_t *bytes, size_t n, uint64_t at, struct insn *i)
{
	ZydisDecoder d;

	ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (ZYAN_FAILED(ZydisDecoderDecodeFull(&d, bytes, n, &i->z, i->operand))) return -1;
	i->at = at;
	i->next = at + i->z.length;
	i->target = 0;
	i->is_branch = 0;
	for (unsigned k = 0; k < i->z.operand_count; k++) {
		const ZydisDecodedOperand *o = &i->operand[k];
		int immediate = o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && o->imm.is_relative;
		int memory = o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.base == ZYDIS_REGISTER_RIP;
		if (!immediate && !memory) continue;
		if (ZYAN_FAILED(ZydisCalcAbsoluteAddress(&i->z, o, at, &i->target))) return -1;
		i->is_branch = immediate;
	}
	return 0;
}

/* Does it never come to the instruction behind it? */
static int ends(const struct insn *i)
{
	switch (i->z.meta.category) {
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_UNCOND_BR: return 1;
	default: break;
	}
	switch (i->z.mnemonic) {
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_INT3: return 1;
	default: return 0;
	}
}

static int is_padding(const struct insn *i)
{
	return i->z.mnemonic == ZYDIS_MNEMONIC_NOP || i->z.mnemonic == ZYDIS_MNEMONIC_INT3 || i->z.meta.category == ZYDIS_CATEGORY_NOP ||
		i->z.meta.category == ZYDIS_CATEGORY_WIDENOP;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------ */

static uint64_t here(const struct out *o) { return o->p->trampoline + o->p->code_size; }

static void put(struct out *o, const void *bytes, size_t n)
{
	if (o->p->code_size + n > sizeof o->p->code) {
		o->full = 1;
		return;
	}
	memcpy(o->p->code + o->p->code_size, bytes, n);
	o->p->code_size += (unsigned)n;
}

/* Can a displacement reach `to` from behind an instruction that ends at `from`? */
static int reaches(uint64_t from, uint64_t to)
{
	int64_t d = (int64_t)(to - from);

	return d == (int32_t)d;
}

static void put_displacement(struct out *o, uint64_t to)
{
	int32_t d = (int32_t)(to - (here(o) + 4));

	put(o, &d, sizeof d);
}

static void put_far_jump(struct out *o, uint64_t to)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 };

	put(o, jump, sizeof jump);
	put(o, &to, sizeof to);
}

static void put_jump(struct out *o, uint64_t to)
{
	if (!reaches(here(o) + NEAR, to)) return put_far_jump(o, to);
	put(o, "\xe9", 1);
	put_displacement(o, to);
}

/* The opcode's low nibble is the condition, in the short form and in the long one; its lowest bit turns it round. */
static void put_conditional(struct out *o, unsigned condition, uint64_t to)
{
	uint8_t near[2] = { 0x0f, (uint8_t)(0x80 | condition) }, round[2] = { (uint8_t)(0x70 | (condition ^ 1)), FAR_JUMP };

	if (reaches(here(o) + 6, to)) {
		put(o, near, sizeof near);
		put_displacement(o, to);
		return;
	}
	put(o, round, sizeof round);
	put_far_jump(o, to);
}

/* As if the call stood where it stood: it returns to the instruction behind it in the function. The flags are left alone. */
static void put_call(struct out *o, uint64_t to, uint64_t back)
{
	static const uint8_t room[] = { 0x48, 0x8d, 0x64, 0x24, 0xf8 }, low[] = { 0xc7, 0x04, 0x24 }, high[] = { 0xc7, 0x44, 0x24, 0x04 };
	uint32_t half[2] = { (uint32_t)back, (uint32_t)(back >> 32) };

	put(o, room, sizeof room);
	put(o, low, sizeof low);
	put(o, &half[0], 4);
	put(o, high, sizeof high);
	put(o, &half[1], 4);
	put_jump(o, to);
}

/* ---- one displaced instruction --------------------------------------------------------------------------------------------------------- */

static int refuse(struct err *e, const struct entry_plan *p, const char *why, uint64_t at)
{
	return err_set(e, ERR_UNSUPPORTED, "hooking the function at %#llx: %s (at %#llx)", (unsigned long long)p->function, why, (unsigned long long)at);
}

static int put_branch(struct out *o, const struct insn *i, struct err *e)
{
	uint8_t opcode = i->z.opcode;

	if (i->target >= o->p->address && i->target < i->next) return refuse(e, o->p, "its first instructions jump among themselves", i->at);
	if (i->z.mnemonic == ZYDIS_MNEMONIC_CALL) put_call(o, i->target, i->next);
	else if (i->z.mnemonic == ZYDIS_MNEMONIC_JMP) put_jump(o, i->target);
	else if (i->z.meta.category == ZYDIS_CATEGORY_COND_BR && ((i->z.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (opcode & 0xf0) == 0x70) ||
	         (i->z.opcode_map == ZYDIS_OPCODE_MAP_0F && (opcode & 0xf0) == 0x80))) put_conditional(o, opcode & 15, i->target);
	else return refuse(e, o->p, "a branch that has no long form", i->at);   /* loop, jrcxz, xbegin */
	return 0;
}

static int put_insn(struct out *o, const struct insn *i, const uint8_t *bytes, struct err *e)
{
	uint8_t copy[INSTRUCTION_MAX];

	if (i->is_branch) return put_branch(o, i, e);
	if (i->z.meta.category == ZYDIS_CATEGORY_CALL || i->z.meta.category == ZYDIS_CATEGORY_SYSCALL || i->z.meta.category == ZYDIS_CATEGORY_INTERRUPT)
		return refuse(e, o->p, "a call among its first instructions that cannot be moved", i->at);
	memcpy(copy, bytes, i->z.length);
	if (i->target) {
		int32_t d = (int32_t)(i->target - (here(o) + i->z.length));
		if (i->z.raw.disp.size != 32 || !reaches(here(o) + i->z.length, i->target))
			return refuse(e, o->p, "what its first instructions refer to is out of the trampoline's reach", i->at);
		memcpy(copy + i->z.raw.disp.offset, &d, sizeof d);
	}
	put(o, copy, i->z.length);
	return 0;
}

/* ---- the function ------------------------------------------------------------------------------------------------------------------------ */

/* Moves what stands in the way of the jump. *over: the first byte behind it; *goes_on: the last of it comes to what is behind. */
static int displace(struct out *o, const uint8_t *code, size_t size, uint64_t *over, int *goes_on, struct err *e)
{
	struct entry_plan *p = o->p;
	uint64_t at = p->address, end = p->function + size;
	struct insn i;

	*goes_on = 1;
	while (at < p->address + ENTRY_JUMP) {
		const uint8_t *bytes = code + (at - p->function);
		if (at >= end || decode(bytes, end - at, at, &i)) return refuse(e, p, "it ends, or is no code, before a jump has room", at);
		if (!*goes_on) {
			if (!is_padding(&i)) return refuse(e, p, "it is shorter than a jump", at);
		} else {
			if (put_insn(o, &i, bytes, e)) return -1;
			/* a moved call returns behind itself, into the function */
			if (i.is_branch && i.z.mnemonic == ZYDIS_MNEMONIC_CALL) *goes_on = 0;
			else *goes_on = !ends(&i);
			if (i.z.mnemonic == ZYDIS_MNEMONIC_CALL && i.next < p->address + ENTRY_JUMP) return refuse(e, p, "a call would return into the jump", at);
		}
		at = i.next;
	}
	*over = at;
	return 0;
}

/* Looks for branches into the jump. The end, where nobody knows it, is where nothing goes on and no branch leads to what follows. */
static int look_for_branches(const struct entry_plan *p, const uint8_t *code, size_t size, size_t known, struct err *e)
{
	uint64_t furthest = p->address, end = p->function + (known ? known : size);
	struct insn i;

	for (uint64_t at = p->address; at < end; at = i.next) {
		if (decode(code + (at - p->function), end - at, at, &i)) return refuse(e, p, "what follows is no code that is known", at);
		if (i.is_branch) {
			uint64_t t = i.target;
			if (t > p->address && t < p->address + ENTRY_JUMP) return refuse(e, p, "a branch leads into the place of the jump", at);
			if (t == p->address && i.z.mnemonic != ZYDIS_MNEMONIC_CALL) return refuse(e, p, "a loop leads back to its first instruction", at);
			if (i.z.meta.category == ZYDIS_CATEGORY_COND_BR && t > furthest && t < end) furthest = t;
		}
		if (!known && ends(&i) && i.next > furthest) return 0;
	}
	return 0;
}

int entry_plan(struct entry_plan *p, uint64_t function, const uint8_t *code, size_t size, size_t known, uint64_t hook, uint64_t trampoline, struct err *e)
{
	struct out o = { .p = p };
	uint64_t over = 0, to = hook;
	int goes_on = 0;

	*p = (struct entry_plan){ .function = function, .address = function, .trampoline = trampoline, .hook = hook };
	if ((function | trampoline | (trampoline + ENTRY_CODE_MAX)) >> 47) return refuse(e, p, "no address of a program's", function);
	if (size >= ENDBR && !memcmp(code, endbr64, ENDBR)) p->address += ENDBR;
	if (size < p->address - function + ENTRY_JUMP) return refuse(e, p, "its code cannot be read", function);
	if (!reaches(p->address + NEAR, trampoline)) return refuse(e, p, "the trampoline is out of a jump's reach", function);
	if (known > size) known = size;
	put(&o, endbr64, ENDBR);
	if (displace(&o, code, size, &over, &goes_on, e)) return -1;
	if (goes_on) put_jump(&o, over);
	if (!reaches(p->address + NEAR, hook)) {
		to = here(&o);
		put_far_jump(&o, hook);
	}
	if (o.full) return refuse(e, p, "its first instructions take too much room", function);
	if (known && over > function + known && goes_on) return refuse(e, p, "it ends before a jump has room", function);
	if (look_for_branches(p, code, size, known, e)) return -1;
	memcpy(p->old, code + (p->address - function), ENTRY_JUMP);
	int32_t d = (int32_t)(to - (p->address + NEAR));
	p->new[0] = 0xe9;
	memcpy(p->new + 1, &d, sizeof d);
	p->busy = p->address + 1;
	p->busy_end = p->address + ENTRY_JUMP;
	return 0;
}
