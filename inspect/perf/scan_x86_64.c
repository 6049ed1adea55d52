/* scan_x86_64.c: see scan.h. */
#include "inspect/perf/scan.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/perf/starts.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { FUNCTION_MAX = 16 << 10, JUMPS_MAX = 8, SEEN = 4096, ALIGNED = 16, MODULES_MAX = 64, BEFORE = 64 };

/* What was found out about a word of the stack. */
struct seen { uint64_t ret, target; };

struct scan {
	const struct target *t;
	struct starts code[MODULES_MAX]; size_t ncode;  /* by map */
	struct seen seen[SEEN];
};

struct scan *scan_open(const struct target *t)
{
	struct scan *s = xcalloc(1, sizeof *s);

	s->t = t;
	return s;
}

void scan_close(struct scan *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->ncode; i++) starts_free(&s->code[i]);
	free(s);
}

static const struct map *code_at(const struct scan *s, uint64_t addr)
{
	const struct map *m = maps_find(&s->t->maps, addr);

	return m && m->exec && m->read ? m : NULL;
}

static int32_t displacement(const uint8_t *p)
{
	int32_t d;

	memcpy(&d, p, sizeof d);
	return d;
}

static uint64_t load(const struct scan *s, uint64_t addr)
{
	uint64_t v;

	return mem_read_some(s->t->mem, addr, &v, sizeof v) == sizeof v ? v : 0;
}

/* Where the single jump that stands at addr leads, 0 if there is none: a PLT entry, or a function that is another's second name. */
static uint64_t jump_at(const struct scan *s, uint64_t addr, uint64_t *end)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	uint8_t b[16];
	size_t i = 0;

	if (!code_at(s, addr) || mem_read_some(s->t->mem, addr, b, sizeof b) < sizeof b) return 0;
	if (!memcmp(b, endbr64, sizeof endbr64)) i = sizeof endbr64;
	if (b[i] == 0xe9) {
		*end = addr + i + 5;
		return *end + (uint64_t)(int64_t)displacement(b + i + 1);
	}
	if (b[i] == 0xf2) i++;          /* bnd */
	if (b[i] != 0xff || b[i + 1] != 0x25) return 0;
	*end = addr + i + 6;
	return load(s, *end + (uint64_t)(int64_t)displacement(b + i + 2));
}

/* The call through a variable that b ends with, as our agent's are: lea to(%rip), %reg a little before call *(%reg). The variable's content, 0 when
   there is no such thing. */
static uint64_t by_variable(const struct scan *s, const uint8_t b[BEFORE], uint64_t ret)
{
	enum { LEA = 7, SP = 4, BP = 5 };
	uint8_t modrm = b[BEFORE - 1], reg = modrm & 7, high = b[BEFORE - 3] == 0x41;

	if (b[BEFORE - 2] != 0xff || modrm >> 3 != 2 || reg == SP || reg == BP) return 0;
	for (size_t i = BEFORE - 2 - LEA + 1; i-- > 0;)
		if (b[i] == (high ? 0x4c : 0x48) && b[i + 1] == 0x8d && b[i + 2] == (reg << 3 | BP))
			return load(s, ret - BEFORE + i + LEA + (uint64_t)(int64_t)displacement(b + i + 3));
	return 0;
}

/* The target of the call that a return address stands behind; 0 where that cannot be told: called through a register, or no call. */
static uint64_t call_before(struct scan *s, uint64_t ret)
{
	struct seen *k = &s->seen[(ret * 0x9e3779b97f4a7c15) >> 52];
	uint8_t far[BEFORE] = { 0 }, *b = far + BEFORE - 6;
	size_t n = BEFORE;

	if (k->ret == ret) return k->target;
	*k = (struct seen){ ret, 0 };
	if (!code_at(s, ret - n)) n = 6;
	if (!code_at(s, ret) || !code_at(s, ret - n) || mem_read_some(s->t->mem, ret - n, far + BEFORE - n, n) < n) return 0;
	if (b[1] == 0xe8) k->target = ret + (uint64_t)(int64_t)displacement(b + 2);
	else if (b[0] == 0xff && b[1] == 0x15) k->target = load(s, ret + (uint64_t)(int64_t)displacement(b + 2));
	else k->target = by_variable(s, far, ret);
	if (!code_at(s, k->target)) k->target = 0;
	return k->target;
}

static const struct starts *starts_of(struct scan *s, uint64_t pc)
{
	const struct map *m = code_at(s, pc);

	if (!m) return NULL;
	for (size_t i = 0; i < s->ncode; i++)
		if (s->code[i].begin == m->start) return &s->code[i];
	if (s->ncode == MODULES_MAX) return NULL;
	struct starts *c = &s->code[s->ncode++];
	starts_read(c, s->t, m);
	return c;
}

/* The first start behind addr, by its place. */
static size_t after(const struct starts *c, uint64_t addr)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->addr[mid] <= addr) lo = mid + 1;
		else hi = mid;
	}
	return lo;
}

/* Does pc lie in the function that begins at `start`? Not if another begins in between. */
static int begins(const struct starts *c, uint64_t start, uint64_t pc)
{
	if (start > pc || pc - start > FUNCTION_MAX || start < c->begin) return 0;
	size_t next = after(c, start);
	return next == c->n || c->addr[next] > pc;
}

/* From `target` on through jumps that are all there is to a function, to the one that pc lies in. *jump: the end of the last of them, if that
   is in the same code: a PLT entry is nobody's frame. *last: the code that they lead to. */
static int straight(const struct scan *s, const struct starts *c, uint64_t target, uint64_t pc, uint64_t *jump, uint64_t *last)
{
	*jump = 0;
	for (unsigned i = 0; i <= JUMPS_MAX && target; i++) {
		uint64_t end = 0;
		*last = target;
		if (begins(c, target, pc)) return 1;
		target = jump_at(s, target, &end);
		*jump = target && end > c->begin && end <= c->end ? end : 0;
	}
	return 0;
}

/* Through a variable, as our agent does: lea to(%rip), %rax, what moves registers or gives them back, but for this one, and jmp *(%rax), or
   mov (%rax), %rax and jmp *%rax. The length of all that; 0: something else. */
static unsigned jump_by_variable(const uint8_t *p, size_t n)
{
	static const uint8_t lea[] = { 0x48, 0x8d, 0x05 }, once[] = { 0xff, 0x20 }, twice[] = { 0x48, 0x8b, 0x00, 0xff, 0xe0 };
	size_t i = 7;

	if (n < i || memcmp(p, lea, sizeof lea)) return 0;
	for (;;) {
		if (i + 3 <= n && (p[i] & 0xfa) == 0x48 && p[i + 1] == 0x89 && p[i + 2] >= 0xc0 && (p[i] & 1 || p[i + 2] & 7)) i += 3;
		else if (i + 2 <= n && p[i] == 0x41 && (p[i + 1] & 0xf8) == 0x58) i += 2;
		else if (i < n && p[i] > 0x58 && p[i] <= 0x5f) i++;
		else break;
	}
	if (n - i >= sizeof once && !memcmp(p + i, once, sizeof once)) return (unsigned)(i + sizeof once);
	return n - i >= sizeof twice && !memcmp(p + i, twice, sizeof twice) ? (unsigned)(i + sizeof twice) : 0;
}

/* The jump at p, of which n bytes are there: its length and where it leads, 0 when it is none. With or without a condition, through the GOT, and
   a short one: to a jump that stands aligned behind the function proper, and so looks like a function. */
static unsigned jump_of(const struct scan *s, const uint8_t *p, size_t n, uint64_t at, uint64_t *to)
{
	unsigned length;

	if ((length = jump_by_variable(p, n))) {
		*to = load(s, at + 7 + (uint64_t)(int64_t)displacement(p + 3));
		return length;
	}
	length = n >= 5 && p[0] == 0xe9 ? 5 : n >= 6 && ((p[0] == 0x0f && (p[1] & 0xf0) == 0x80) || (p[0] == 0xff && p[1] == 0x25)) ? 6 : 0;
	if (n >= 2 && ((p[0] & 0xf0) == 0x70 || p[0] == 0xeb)) {
		*to = at + 2 + (uint64_t)(int64_t)(int8_t)p[1];
		return 2;
	}
	if (!length) return 0;
	*to = at + length + (uint64_t)(int64_t)displacement(p + length - 4);
	if (p[0] == 0xff) *to = load(s, *to);
	return length;
}

/* A function whose last deed is a jump that leads to the one that pc lies in, perhaps into another module. Its end: where the next begins that is
   known of. What stands in no file, as the attached agent, is nobody's frame. */
static int tail_jump(struct scan *s, const struct starts *c, uint64_t start, uint64_t pc, uint64_t jump[SCAN_JUMPS])
{
	enum { BODY = 512 };
	const struct starts *own = starts_of(s, start);
	uint8_t b[BODY];
	uint64_t to, last;
	size_t n, i;

	if (!own || start < own->begin || start >= own->end) return 0;
	n = mem_read_some(s->t->mem, start, b, sizeof b);
	i = after(own, start);
	if (i < own->n && own->addr[i] - start < n) n = (size_t)(own->addr[i] - start);
	for (i = 0; i < n; i++) {
		unsigned length = jump_of(s, b + i, n - i, start + i, &to);
		if (!length || to % ALIGNED || to - start < n || !straight(s, c, to, pc, &jump[0], &last)) continue;
		if (code_at(s, start)->inode) jump[jump[0] != 0] = start + i + length;
		return 1;
	}
	return 0;
}

static int leads(struct scan *s, const struct starts *c, uint64_t target, uint64_t pc, uint64_t jump[SCAN_JUMPS])
{
	uint64_t last = 0;

	memset(jump, 0, SCAN_JUMPS * sizeof *jump);
	if (straight(s, c, target, pc, &jump[0], &last)) return 1;
	jump[0] = 0;
	return last && tail_jump(s, c, last, pc, jump);
}

size_t scan_caller(struct scan *s, uint64_t pc, const uint8_t *stack, size_t from, size_t n, uint64_t *ret, uint64_t jump[SCAN_JUMPS])
{
	const struct starts *c = starts_of(s, pc);

	for (size_t i = from; c && i + sizeof *ret <= n; i += sizeof *ret) {
		uint64_t target;
		memcpy(ret, stack + i, sizeof *ret);
		if (*ret < 4096 || !(target = call_before(s, *ret))) continue;
		if (leads(s, c, target, pc, jump)) return i;
	}
	return SIZE_MAX;
}
