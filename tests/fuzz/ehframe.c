/* ehframe.c: hostile unwind tables. The first byte chooses: the input is an index with its tables, or tables without index, or only the
 * instructions of one function, with good heads before them. Whatever rule comes out must be one that the unwinder can follow. */
/* LINK: agent/ehframe.c agent/cfi.c agent/cfi_expression.c agent/cursor.c agent/modules.c agent/scan.c agent/unwind.c agent/unwind_x86_64.c */
#include <stdlib.h>
#include <string.h>
#include "agent/ehframe.h"
#include "agent/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ASKED = 16 };

static void require(int good)
{
	if (!good) abort();
}

static void ask(const struct module *m, uintptr_t pc)
{
	struct rule r;
	int failed = ehframe_rule(m, pc, (int)(pc & 1), &r);
	require(failed == (r.flags & RULE_NONE ? -1 : 0));
	if (failed || r.flags & RULE_LAST) return;
	require((r.cfa & 15) < RULE_REGS && r.cfa >> 4 < RULE_REGS && r.low <= -1);
	require(!(r.based | r.lost) == !(r.flags & RULE_ODD));
	for (unsigned i = 0; i < RULE_SAVED; i++) require(r.based >> i & 1 || (r.reg[i] <= 0 && r.reg[i] >= r.low));
}

/* A CIE, then an FDE for the 256 bytes of code after its own address field, whose instructions are the input. */
static size_t wrap(uint8_t *to, const uint8_t *data, size_t n)
{
	static const uint8_t cie[] = { 20, 0, 0, 0, 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1, 0, 0 };
	uint32_t head[4] = { (uint32_t)n + 13, sizeof cie + 4, 0, 256 };
	memcpy(to, cie, sizeof cie);
	memcpy(to + sizeof cie, head, sizeof head);
	to[sizeof cie + sizeof head] = 0;
	memcpy(to + sizeof cie + sizeof head + 1, data, n);
	return sizeof cie + sizeof head + 1 + n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 2 || n > 8192) return -1;
	unsigned form = data[0] % 3;
	uint8_t *block = malloc(n + 64), *tables;
	size_t size = n - 1;
	if (form == 2) size = wrap(block, data + 1, n - 1);
	else memcpy(block, data + 1, size);
	tables = malloc(size);          /* of just this size, so that a byte read too far is seen */
	memcpy(tables, block, size);
	struct module m = { .start = (uintptr_t)tables, .end = (uintptr_t)tables + size };
	m.text = m.start;
	m.text_end = m.end;
	if (form == 0) {
		m.hdr = m.start;
		m.hdr_end = m.end;
	} else {
		m.frames = m.start;
		m.frames_end = m.end;
	}
	for (unsigned i = 0; i < ASKED; i++) ask(&m, m.start + (form == 2 ? 32 + i * 16 : i * size / ASKED));
	ehframe_search(&m, m.start, m.end);
	free(tables);
	free(block);
	return 0;
}
