/* scan_x86_64.c: see scan.h. */
#include "inspect/perf/scan.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/perf/starts.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { FUNCTION_MAX = 16 << 10, JUMPS_MAX = 4, SEEN = 4096, ALIGNED = 16, MODULES_MAX = 64 };

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

/* The target of the call that a return address stands behind; 0 where that cannot be told: called through a register, or no call. */
static uint64_t call_before(struct scan *s, uint64_t ret)
{
	struct seen *k = &s->seen[(ret * 0x9e3779b97f4a7c15) >> 52];
	uint8_t b[6];

	if (k->ret == ret) return k->target;
	*k = (struct seen){ ret, 0 };
	if (!code_at(s, ret) || !code_at(s, ret - sizeof b) || mem_read_some(s->t->mem, ret - sizeof b, b, sizeof b) < sizeof b) return 0;
	if (b[1] == 0xe8) k->target = ret + (uint64_t)(int64_t)displacement(b + 2);
	else if (b[0] == 0xff && b[1] == 0x15) k->target = load(s, ret + (uint64_t)(int64_t)displacement(b + 2));
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

/* Does pc lie in the function that begins at `start`? Not if another begins in between. */
static int begins(const struct starts *c, uint64_t start, uint64_t pc)
{
	if (start > pc || pc - start > FUNCTION_MAX || start < c->begin) return 0;
	return starts_next(c, start) > pc;
}

/* A function whose last deed is a jump to the one that pc lies in. Its end: where the next begins that is known of. */
static uint64_t tail_jump(const struct scan *s, const struct starts *c, uint64_t start, uint64_t pc)
{
	enum { BODY = 512 };
	uint8_t b[BODY];
	size_t n, i;

	if (start < c->begin || start >= c->end) return 0;
	n = mem_read_some(s->t->mem, start, b, sizeof b);
	for (i = 0; i < c->n && c->addr[i] <= start; i++);
	if (i < c->n && c->addr[i] - start < n) n = (size_t)(c->addr[i] - start);
	for (i = 0; i + 5 <= n; i++) {
		uint64_t end = start + i + 5, to = end + (uint64_t)(int64_t)displacement(b + i + 1);
		if (b[i] == 0xe9 && to % ALIGNED == 0 && begins(c, to, pc)) return end;
	}
	return 0;
}

static int leads(struct scan *s, const struct starts *c, uint64_t target, uint64_t pc, uint64_t *jump)
{
	*jump = 0;
	for (unsigned i = 0; i <= JUMPS_MAX && target; i++) {
		uint64_t end = 0;
		if (begins(c, target, pc) || (*jump = tail_jump(s, c, target, pc))) return 1;
		target = jump_at(s, target, &end);
		/* a PLT entry is nobody's frame */
		*jump = target && end > c->begin && end <= c->end ? end : 0;
	}
	return 0;
}

size_t scan_caller(struct scan *s, uint64_t pc, const uint8_t *stack, size_t from, size_t n, uint64_t *ret, uint64_t *jump)
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
