/* entry.c: plans of jumps for functions of any bytes, which a target may show us: planned or refused, and never read or written out of bounds. What is
 * planned must be consistent: the jump leads to the hook, itself or by the last one of the trampoline, and nothing moved is longer than what there is room for. */
/* LINK: inspect/attach/entry.c inspect/attach/entry_x86_64.c inspect/attach/functions_x86_64.c inspect/target/err.c inspect/target/maps.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
/* LDLIBS: -lZydis */
#include <stdlib.h>
#include <string.h>

#include "inspect/attach/entry.h"
#include "inspect/attach/functions.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct entry_plan *p, uint64_t hook)
{
	enum { FAR_JUMP = 14, ADDRESS = 6 };
	int32_t d;

	memcpy(&d, p->new + 1, sizeof d);
	uint64_t to = p->address + ENTRY_JUMP + (uint64_t)(int64_t)d, far = to - p->trampoline;
	if (p->code_size > sizeof p->code || p->new[0] != 0xe9) abort();
	if (to == hook) return;
	if (far + FAR_JUMP != p->code_size) abort();
	memcpy(&to, p->code + far + ADDRESS, sizeof to);
	if (to != hook) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct entry_plan p;
	struct functions_musl musl;
	struct err e;
	uint64_t word[2] = { 0 }, to[16];

	if (size < sizeof word) return 0;
	memcpy(word, data, sizeof word);
	data += sizeof word;
	size -= sizeof word;
	uint64_t function = word[0] >> 17, trampoline = function + (uint64_t)(int64_t)(int32_t)word[1], hook = word[0] ^ word[1];
	if (!entry_plan(&p, function, data, size, word[1] >> 48, hook, trampoline, &e)) check(&p, hook);
	struct mem *mem = mem_open_fixture(function, data, size);
	if (!entry_plan_target(&p, mem, function, word[1] >> 52, hook, trampoline, &e)) check(&p, hook);
	mem_close(mem);
	struct code code = { data, function, size };
	functions_calls(&code, function + (word[1] & 15), 0, to, 16);
	functions_calls(&code, function, word[1] & 4095, to, 16);
	functions_musl(&code, function + size, 928, &musl);
	return 0;
}
