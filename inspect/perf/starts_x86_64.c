/* starts_x86_64.c: see starts.h. Bytes are looked at, not instructions: one that only looks like a call seldom leads to where a function
 * could begin, and four that only look like an address hardly ever are one of the few that are asked for. */
#include "inspect/perf/starts.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/image.h"
#include "inspect/perf/fde.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { CODE_MAX = 32 << 20, ALIGNED = 16 };

static int32_t displacement(const uint8_t *p)
{
	int32_t d;

	memcpy(&d, p, sizeof d);
	return d;
}

/* The code of a mapping, from its file; *n: how much of it could be read. free() it. */
static uint8_t *read_code(const struct target *t, const struct map *m, size_t *n)
{
	struct image i;
	uint8_t *b;

	*n = 0;
	if (m->end - m->start > CODE_MAX) return NULL;
	b = xmalloc((size_t)(m->end - m->start));
	image_open(&i, t, m);
	*n = image_read(&i, m->start, b, (size_t)(m->end - m->start));
	image_close(&i);
	return b;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void add(void *arg, uint64_t addr)
{
	struct starts *s = arg;

	if (addr < s->begin || addr >= s->end) return;
	if (!(s->n & (s->n - 1))) s->addr = xreallocarray(s->addr, s->n ? 2 * s->n : 1, sizeof *s->addr);
	s->addr[s->n++] = addr;
}

/* A jump that begins a function, to another's begin, and padding up to the next. */
static int is_alias(const uint8_t *b, uint64_t at, uint64_t to)
{
	return b[0] == 0xe9 && at % ALIGNED == 0 && to % ALIGNED == 0 && (b[5] == 0x66 || b[5] == 0x0f || b[5] == 0x90 || b[5] == 0xcc);
}

void starts_read(struct starts *s, const struct target *t, const struct map *m)
{
	size_t n;
	uint8_t *b = read_code(t, m, &n);

	*s = (struct starts){ .begin = m->start, .end = m->end };
	fde_starts(t, m, add, s);
	for (size_t i = 0; i + 6 <= n; i++) {
		uint64_t at = s->begin + i, to = at + 5 + (uint64_t)(int64_t)displacement(b + i + 1);
		if (b[i] == 0xe8 && to % ALIGNED == 0) add(s, to);
		if (is_alias(b + i, at, to)) {
			add(s, at);
			add(s, to);
		}
	}
	if (s->n) qsort(s->addr, s->n, sizeof *s->addr, by_value);
	free(b);
}

void starts_free(struct starts *s)
{
	free(s->addr);
	*s = (struct starts){ 0 };
}

/* How many are not above addr. */
static size_t up_to(const struct starts *s, uint64_t addr)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (s->addr[mid] <= addr) lo = mid + 1;
		else hi = mid;
	}
	return lo;
}

uint64_t starts_next(const struct starts *s, uint64_t addr)
{
	size_t i = up_to(s, addr);

	return i < s->n ? s->addr[i] : s->end;
}

uint64_t starts_before(const struct starts *s, uint64_t addr)
{
	size_t i = up_to(s, addr);

	return i ? s->addr[i - 1] : 0;
}

/* Bytes of an immediate operand behind the displacement at p: by the opcode, which stands before the byte that says "relative". */
static unsigned immediate(const uint8_t *p)
{
	static const uint8_t one[] = { 0x6b, 0x80, 0x83, 0xc0, 0xc1, 0xc6 }, four[] = { 0x69, 0x81, 0xc7 };
	uint8_t opcode = p[-2], reg = p[-1] >> 3 & 7;

	if (p[-3] == 0x0f) return opcode == 0xba || opcode == 0xc6;
	/* test has one; not, neg, mul and div, of the same opcode, have none */
	if (opcode == 0xf6 || opcode == 0xf7) return reg > 1 ? 0 : opcode == 0xf6 ? 1 : 4;
	return memchr(one, opcode, sizeof one) ? 1 : memchr(four, opcode, sizeof four) ? 4 : 0;
}

/* Can the four bytes at p be an address that the instruction around them uses by itself? After an opcode with a register in it, a register
   as operand, or the base or index of an operand in memory. */
static int is_absolute(const uint8_t *p)
{
	int move = (p[-1] & 0xf8) == 0xb8 || p[-1] == 0x68 || (p[-1] & 0xc7) == 0x05, operand = (p[-1] & 0xc0) == 0xc0 && immediate(p) == 4;
	int based = (p[-1] & 0xc0) == 0x80 || (p[-2] & 0xc7) == 0x84, indexed = (p[-2] & 0xc7) == 0x04 && (p[-1] & 7) == 5;

	return move || operand || based || indexed;
}

/* An address relative to the end of the instruction, which an immediate operand of one or four bytes may put off; or, in a program that
   is always loaded at one place, the address itself. In a small program the state is so near that much else reads as a distance to it:
   bytes that no such instruction has in front are none. p has three bytes before it. */
static int names(const uint8_t *p, uint64_t at, uint64_t from, uint64_t to)
{
	uint64_t relative = at + 4 + immediate(p) + (uint64_t)(int64_t)displacement(p), absolute = (uint32_t)displacement(p);

	if ((p[-1] & 0xc7) == 0x05 && relative - from < to - from) return 1;
	return absolute - from < to - from && is_absolute(p);
}

void starts_users(const struct target *t, const struct map *m, uint64_t from, uint64_t to, void (*fn)(void *arg, uint64_t at), void *arg)
{
	size_t n;
	uint8_t *b = read_code(t, m, &n);

	for (size_t i = 3; i + 4 <= n; i++)
		if (names(b + i, m->start + i, from, to)) fn(arg, m->start + i);
	free(b);
}

void starts_aliases(const struct target *t, const struct map *m, void (*fn)(void *arg, uint64_t at, uint64_t end, uint64_t to), void *arg)
{
	size_t n;
	uint8_t *b = read_code(t, m, &n);

	for (size_t i = 0; i + 6 <= n; i += ALIGNED) {
		uint64_t at = m->start + i, to = at + 5 + (uint64_t)(int64_t)displacement(b + i + 1);
		if (is_alias(b + i, at, to)) fn(arg, at, at + 5, to);
	}
	free(b);
}
