/* unwind.c: see unwind.h. Walks from return address to return address. A rule comes from the cache, else from ehframe.c; code
 * without rules is crossed by frame pointers, as far as that can be proven.
 *
 * The cache has no lock and no owner: an entry is four words of which the first is the key mixed with the three others. A reader
 * that meets half of one entry and half of another finds no match and makes the rule itself; a writer that never finishes
 * (siglongjmp) leaves an entry that does not match. */
#include "unwind.h"
#include "cc.h"
#include "ehframe.h"
#include "modules.h"
#include "sys.h"

enum { WAYS = 2, SETS = 2048, BLIND_MAX = 128, DROPPED_MAX = 64 };

struct entry { uint64_t word[4]; };
union packed { struct rule rule; uint64_t word[3]; };
struct set { struct entry way[WAYS]; } ALIGNED(64);

static struct set cache[SETS];

struct walk {
	struct unwind_bounds *bounds;
	struct unwind_regs *regs;
	uint64_t *pc;
	unsigned n, max, cut;
	unsigned probes;
	int exact;                      /* regs->pc is an instruction that was interrupted */
};

/* Registers a callee preserves, by DWARF number: the others are known only where the kernel has saved all. */
enum { PRESERVED = 1 << 3 | 1 << 6 | 1 << 7 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15, ALL = 0xffff };

static ALWAYS_INLINE uint64_t mix(uint64_t key, const uint64_t *w)
{
	return key ^ w[0] * 0x9e3779b97f4a7c15u ^ w[1] * 0xc2b2ae3d27d4eb4fu ^ w[2] * 0xff51afd7ed558ccdu;
}

static ALWAYS_INLINE struct set *set_of(uint64_t pc)
{
	return &cache[(pc ^ pc >> 11) % SETS];
}

static COLD void store(struct set *s, uint64_t key, const union packed *p)
{
	struct entry *e = &s->way[0];
	if (LOAD(e->word[0])) {         /* the older one goes to the second place, as it is */
		for (unsigned i = 0; i < 4; i++) STORE(s->way[1].word[i], LOAD(e->word[i]));
	}
	STORE(e->word[0], mix(key, p->word));
	for (unsigned i = 0; i < 3; i++) STORE(e->word[i + 1], p->word[i]);
}

/* Makes [lo, hi) readable for us: proves it, and all pages between it and what is known. */
static COLD int reach(struct walk *w, uintptr_t lo, uintptr_t hi)
{
	struct unwind_bounds *b = w->bounds;
	uintptr_t first = lo & -(uintptr_t)SYS_PAGE, last = (hi + SYS_PAGE - 1) & -(uintptr_t)SYS_PAGE;
	if (hi <= lo || last < hi || b->hi <= b->lo) return -1;
	for (; b->lo > first; b->lo -= SYS_PAGE)
		if (!w->probes || !w->probes-- || !unwind_readable(b->lo - SYS_PAGE, 1)) return -1;
	for (; b->hi < last; b->hi += SYS_PAGE)
		if (!w->probes || !w->probes-- || !unwind_readable(b->hi, 1)) return -1;
	return 0;
}

/* Finds out on which stack sp stands: the known one, below it, or another. */
static COLD int settle(struct walk *w, uintptr_t sp)
{
	enum { NEAR = 64 };
	struct unwind_bounds *b = w->bounds;
	uintptr_t page = sp & -(uintptr_t)SYS_PAGE;
	if (b->lo < b->hi && page < b->lo && b->lo - page <= NEAR * SYS_PAGE && !reach(w, sp, sp + 8)) return 0;
	if (!w->probes || !w->probes-- || !unwind_readable(page, 1)) return -1;
	b->lo = page;
	b->hi = page + SYS_PAGE;
	return 0;
}

static int read_word(struct walk *w, uintptr_t at, uint64_t *v)
{
	struct unwind_bounds *b = w->bounds;
	if (at % 8) return -1;
	if ((at < b->lo || at >= b->hi) && reach(w, at, at + 8)) return -1;
	*v = *(const uint64_t *)at;
	return 0;
}

static COLD int stop(struct walk *w, unsigned why)
{
	w->cut = 1 + why;
	return -1;
}

/* Out of a signal handler: every register stands in the ucontext, and the stack may be another one from here. */
static COLD int step_kernel(struct walk *w)
{
	struct unwind_regs *r = w->regs;
	uintptr_t frame = r->r[UNWIND_SP];
	if ((frame < w->bounds->lo || frame + UNWIND_CONTEXT > w->bounds->hi) && reach(w, frame, frame + UNWIND_CONTEXT))
		return stop(w, WIRE_CUT_BOUNDS);
	for (unsigned i = 0; i < UNWIND_REGS; i++) r->r[i] = *(const uint64_t *)(frame + unwind_context_offset(i));
	r->pc = *(const uint64_t *)(frame + unwind_context_offset(UNWIND_REGS));
	r->valid = ALL;
	w->exact = 1;
	uintptr_t sp = r->r[UNWIND_SP];
	if ((sp < w->bounds->lo || sp > w->bounds->hi) && settle(w, sp)) return stop(w, WIRE_CUT_BOUNDS);
	return 0;
}

/* By a rule that says more than offsets from the CFA. Old registers are read before any is replaced. */
static COLD int step_odd(struct walk *w, const struct rule *u)
{
	struct unwind_regs *r = w->regs;
	uint64_t cfa = r->r[u->cfa & 15] + (uint64_t)(int64_t)u->off, base = r->r[u->cfa >> 4], pc;
	if (!(r->valid >> (u->cfa & 15) & 1)) return stop(w, WIRE_CUT_NO_RULE);
	if (u->flags & RULE_DEREF) {
		if (read_word(w, cfa, &cfa)) return stop(w, WIRE_CUT_BOUNDS);
		cfa += (uint64_t)(int64_t)u->add;
	}
	if (cfa <= r->r[UNWIND_SP] || read_word(w, cfa - 8, &pc)) return stop(w, WIRE_CUT_BOUNDS);
	int base_known = r->valid >> (u->cfa >> 4) & 1;
	for (unsigned i = 0; i < RULE_SAVED; i++) {
		unsigned reg = ehframe_saved[i], based = u->based >> i & 1;
		uint64_t bit = 1ULL << reg, at = (based ? base : cfa) + (uint64_t)(int64_t)u->reg[i] * 8;
		if (u->lost >> i & 1 || (based && !base_known)) {
			r->valid &= ~bit;
			continue;
		}
		if (!based && !u->reg[i]) continue;
		if (read_word(w, at, &r->r[reg])) return stop(w, WIRE_CUT_BOUNDS);
		r->valid |= bit;
	}
	r->r[UNWIND_SP] = cfa;
	r->pc = pc;
	r->valid &= PRESERVED;
	return 0;
}

/* The common rule: CFA = register + offset, everything saved below it. */
static ALWAYS_INLINE int step_plain(struct walk *w, const struct rule *u)
{
	struct unwind_regs *r = w->regs;
	struct unwind_bounds *b = w->bounds;
	uint64_t cfa = r->r[u->cfa] + (uint64_t)(int64_t)u->off, depth = (uint64_t)-(int64_t)u->low * 8;
	if (UNLIKELY(!(r->valid >> u->cfa & 1))) return stop(w, WIRE_CUT_NO_RULE);
	if (UNLIKELY(cfa <= r->r[UNWIND_SP] || cfa % 8)) return stop(w, WIRE_CUT_BOUNDS);
	if (UNLIKELY(cfa > b->hi || cfa - b->lo < depth))
		if (cfa < depth || reach(w, cfa - depth, cfa)) return stop(w, WIRE_CUT_BOUNDS);
#define SAVED(i, number) do { \
		const uint64_t *from = u->reg[i] ? (const uint64_t *)cfa + u->reg[i] : &r->r[number]; \
		r->valid |= (uint64_t)(u->reg[i] != 0) << (number); \
		r->r[number] = *from; \
	} while (0)
	SAVED(0, 3);
	SAVED(1, 6);
	SAVED(2, 12);
	SAVED(3, 13);
	SAVED(4, 14);
	SAVED(5, 15);
#undef SAVED
	r->r[UNWIND_SP] = cfa;
	r->pc = ((const uint64_t *)cfa)[-1];
	r->valid &= PRESERVED;
	return 0;
}

/* Makes the rule for an address that the cache does not know. 0, or -1 when no module covers it: that is not worth keeping. */
static COLD int make_rule(uint64_t pc, int exact, struct rule *out)
{
	const struct module *m = modules_find(pc - !exact);
	memset(out, 0, sizeof *out);
	out->flags = RULE_NONE;
	if (!m) return -1;
	if (m->text_readable && pc >= m->text && pc + 9 <= m->text_end && unwind_readable(pc, 9) && unwind_is_trampoline(pc))
		out->flags = RULE_KERNEL;
	else
		ehframe_rule(m, pc, exact, out);
	return 0;
}

static ALWAYS_INLINE int find_rule(uint64_t pc, int exact, uint32_t generation, union packed *out)
{
	uint64_t key = pc << 16 | (generation & 0xffff) | (uint64_t)exact << 63;
	struct set *s = set_of(pc);
	for (unsigned i = 0; i < WAYS; i++) {
		const struct entry *e = &s->way[i];
		uint64_t sum = LOAD(e->word[0]);
		for (unsigned k = 0; k < 3; k++) out->word[k] = LOAD(e->word[k + 1]);
		if (LIKELY(sum == mix(key, out->word))) return 0;
	}
	if (make_rule(pc, exact, &out->rule)) return -1;
	store(s, key, out);
	return 0;
}

static COLD int returns_to_known(uint64_t pc)
{
	const struct module *m = modules_find(pc - 1);
	struct rule rule;
	if (!m || pc < m->text + 7 || pc > m->text_end || !m->text_readable || !unwind_readable(pc - 7, 7)) return 0;
	return unwind_follows_call(pc) && !ehframe_rule(m, pc, 0, &rule);
}

/* Code without rules (made at run time): follows the frame pointers, and believes them only when they lead back to a call in code
   that has rules. Otherwise nothing of it is kept. */
static COLD int step_blind(struct walk *w, unsigned why)
{
	struct unwind_regs *r = w->regs;
	uint64_t fp = r->r[UNWIND_FP], sp = r->r[UNWIND_SP], next, pc;
	unsigned n = w->n;
	if (!(r->valid >> UNWIND_FP & 1)) return stop(w, why);
	for (unsigned i = 0; i < BLIND_MAX; i++) {
		if (fp < sp || read_word(w, fp, &next) || read_word(w, fp + 8, &pc) || pc < SYS_PAGE || pc >> 47) break;
		sp = fp + 16;
		fp = next;
		if (returns_to_known(pc)) {
			w->n = n;
			r->r[UNWIND_FP] = fp;
			r->r[UNWIND_SP] = sp;
			r->pc = pc;
			r->valid = 1 << UNWIND_FP | 1 << UNWIND_SP;
			w->exact = 0;
			return 0;
		}
		if (n < w->max) w->pc[n++] = pc;
	}
	return stop(w, why);
}

static ALWAYS_INLINE int step(struct walk *w, uint32_t generation)
{
	union packed p;
	if (UNLIKELY(find_rule(w->regs->pc, w->exact, generation, &p))) return step_blind(w, WIRE_CUT_UNKNOWN_CODE);
	if (LIKELY(!p.rule.flags)) {
		w->exact = 0;
		return step_plain(w, &p.rule);
	}
	if (p.rule.flags & RULE_LAST) return -1;
	if (p.rule.flags & RULE_NONE) return step_blind(w, WIRE_CUT_NO_RULE);
	if (p.rule.flags & RULE_KERNEL) return step_kernel(w);
	w->exact = !!(p.rule.flags & RULE_EXACT);
	return step_odd(w, &p.rule);
}

unsigned unwind_walk(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut, struct unwind_regs *regs)
{
	struct walk w = { .bounds = b, .regs = regs, .pc = pc, .max = max, .probes = UNWIND_PROBES };
	const struct module *self = modules_self();
	uint64_t own = self ? self->start : 0, own_size = self ? self->end - self->start : 0;
	uint32_t generation = modules_generation();
	uintptr_t sp = regs->r[UNWIND_SP];
	if (UNLIKELY(sp < b->lo || sp >= b->hi) && settle(&w, sp)) w.cut = 1 + WIRE_CUT_BOUNDS;
	for (unsigned i = 0; !w.cut; i++) {
		if (!regs->pc) break;
		if (UNLIKELY(regs->pc >> 47)) {
			w.cut = 1 + WIRE_CUT_UNKNOWN_CODE;
			break;
		}
		if (UNLIKELY(w.n == max || i == max + DROPPED_MAX)) {
			w.cut = 1 + WIRE_CUT_DEPTH;
			break;
		}
		if (LIKELY(regs->pc - own >= own_size)) pc[w.n++] = regs->pc;
		if (step(&w, generation)) break;
	}
	*cut = w.cut;
	return w.n;
}
