/* scan.c: return addresses among other words of a stack, in code that was made for it. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/perf/scan.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "tests/tap.h"

enum { F = 0x100, G = 0x140, ALIAS = 0x180, TAIL = 0x1c0, PLT = 0x200, GOT = 0x240, FAR = 0x280, IF = 0x2c0, NAMED = 0x300, HOOK = 0x340, HOOK_ATTACHED = 0x380, CALLERS = 0x400, SIZE = 0x1000 };

static uint8_t *code;

static void jump(unsigned at, uint8_t opcode, unsigned to)
{
	int32_t d = (int32_t)to - (int32_t)(at + 5);

	code[at] = opcode;
	memcpy(code + at + 1, &d, sizeof d);
}

/* Behind a call to `to`. */
static uint64_t call(unsigned at, unsigned to)
{
	jump(at, 0xe8, to);
	return (uintptr_t)code + at + 5;
}

static uint64_t call_through_got(unsigned at)
{
	int32_t d = GOT - (int32_t)(at + 6);

	code[at] = 0xff;
	code[at + 1] = 0x15;
	memcpy(code + at + 2, &d, sizeof d);
	return (uintptr_t)code + at + 6;
}

int main(void)
{
	uint64_t ret, through[SCAN_JUMPS], base, to_far, to_if, to_hook, to_named, to_f, to_g, to_alias, to_tail, to_plt, to_got, to_slow, to_attached;
	struct target t;
	struct err e = { 0 };

	int file = memfd_create("code", MFD_CLOEXEC);
	if (ftruncate(file, SIZE)) return 1;
	code = mmap(NULL, SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, file, 0);
	memset(code, 0xcc, SIZE);
	base = (uintptr_t)code;
	jump(ALIAS, 0xe9, F);                   /* a second name of F */
	memset(code + TAIL, 0x90, 20);
	jump(TAIL + 20, 0xe9, F);               /* does something, then goes on in F */
	jump(G + 0x10, 0xe9, G + 0x24);         /* a loop of G's, aligned: not a function */
	code[G + 0x15] = 0x90;
	static const uint8_t plt[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, GOT - (PLT + 10), 0, 0, 0 };
	memcpy(code + PLT, plt, sizeof plt);
	*(uint64_t *)(void *)(code + GOT) = base + F;
	memset(code + FAR, 0x90, 20);
	jump(FAR + 20, 0xe9, PLT);              /* its last deed goes through the PLT */
	memset(code + IF, 0x90, 21);
	code[IF + 20] = 0x0f;
	jump(IF + 21, 0x84, PLT);               /* if at all */
	memset(code + NAMED, 0x90, 20);
	jump(NAMED + 20, 0xe9, ALIAS);          /* or to a second name */
	static const uint8_t hook[] = { 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0xff, 0x20 };
	int32_t variable = GOT - (HOOK + 7);
	memcpy(code + HOOK, hook, sizeof hook);
	memcpy(code + HOOK + 3, &variable, sizeof variable);    /* goes on where a variable says */
	static const uint8_t attached[] = { 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0x5b, 0x41, 0x5c, 0x48, 0x8b, 0x00, 0xff, 0xe0 };
	variable = GOT - (HOOK_ATTACHED + 7);
	memcpy(code + HOOK_ATTACHED, attached, sizeof attached);
	memcpy(code + HOOK_ATTACHED + 3, &variable, sizeof variable);
	to_attached = call(CALLERS + 0x180, HOOK_ATTACHED);
	to_f = call(CALLERS, F);
	to_g = call(CALLERS + 0x20, G);
	to_alias = call(CALLERS + 0x40, ALIAS);
	to_tail = call(CALLERS + 0x60, TAIL);
	to_plt = call(CALLERS + 0x80, PLT);
	to_got = call_through_got(CALLERS + 0xa0);
	to_far = call(CALLERS + 0xc0, FAR);
	to_if = call(CALLERS + 0xe0, IF);
	to_named = call(CALLERS + 0x100, NAMED);
	to_hook = call(CALLERS + 0x120, HOOK);
	static const uint8_t slow[] = { 0x4c, 0x8d, 0x05, 0, 0, 0, 0, 0x48, 0x89, 0xdf, 0x41, 0xff, 0x10 };
	variable = GOT - (CALLERS + 0x140 + 7);
	memcpy(code + CALLERS + 0x140, slow, sizeof slow);
	memcpy(code + CALLERS + 0x140 + 3, &variable, sizeof variable);
	to_slow = base + CALLERS + 0x140 + sizeof slow;
	if (!ok(!target_open_pid(&t, getpid(), &e), "this process: %s", e.text)) return done();
	struct scan *s = scan_open(&t);

	uint64_t stack[] = { 0x1234, base + CALLERS + 0x10, to_g, (uintptr_t)stack, to_f, to_f };
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_f && !through[0],
	   "behind the call of the function; not what an earlier call of another has left, nor code that is no return address");
	ok(scan_caller(s, base + G + 8, (void *)stack, 0, sizeof stack, &ret, through) == 16 && ret == to_g, "the other function has the other caller");
	ok(scan_caller(s, base + G + 0x30, (void *)stack, 0, sizeof stack, &ret, through) == 16 && ret == to_g, "also from behind a jump that is aligned as a function is");
	ok(scan_caller(s, base + F + 8, (void *)stack, 40, sizeof stack, &ret, through) == 40, "from where it is told");
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, 36, &ret, through) == SIZE_MAX, "not beyond the copy");
	ok(scan_caller(s, base + GOT + 8, (void *)stack, 0, sizeof stack, &ret, through) == SIZE_MAX, "code that nobody calls");
	ok(scan_caller(s, 0x10, (void *)stack, 0, sizeof stack, &ret, through) == SIZE_MAX, "no code at all");

	stack[4] = to_alias;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && through[0] == base + ALIAS + 5 && !through[1], "through a function that is one jump");
	stack[4] = to_tail;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && through[0] == base + TAIL + 25 && !through[1], "through a jump at a function's end");
	stack[4] = to_plt;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_plt, "through the PLT");
	stack[4] = to_got;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_got, "through the GOT");
	stack[4] = to_far;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_far && through[1] == base + FAR + 25, "through a last deed and the PLT");
	stack[4] = to_if;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_if && through[1] == base + IF + 26, "through one with a condition");
	stack[4] = to_named;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && through[0] == base + ALIAS + 5 && through[1] == base + NAMED + 25, "through a last deed to a second name");
	stack[4] = to_hook;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_hook && through[0] == base + HOOK + 9, "through a jump by a variable");
	stack[4] = to_attached;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_attached && through[0] == base + HOOK_ATTACHED + sizeof attached,
	   "with registers given back on the way, and the variable read first");
	uint64_t inode = 0;
	for (size_t i = 0; i < t.maps.n; i++)
		if (t.maps.map[i].start == base) inode = t.maps.map[i].inode, t.maps.map[i].inode = 0;
	ok(inode && scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_attached && !through[0], "which is nobody's frame where no file is");
	for (size_t i = 0; i < t.maps.n; i++)
		if (t.maps.map[i].start == base) t.maps.map[i].inode = inode;
	stack[4] = to_slow;
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack, &ret, through) == 32 && ret == to_slow && !through[0], "behind a call by a variable that a register points at");
	code[CALLERS + 0x140 + 2] = 0x0d;       /* another register */
	scan_close(s);
	s = scan_open(&t);
	ok(scan_caller(s, base + F + 8, (void *)stack, 0, sizeof stack - 8, &ret, through) == SIZE_MAX, "not where it points elsewhere");
	scan_close(s);
	target_close(&t);
	return done();
}
