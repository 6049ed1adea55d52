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
	unsigned n, max, cut, steps;
	unsigned probes;
	uint64_t own, own_size;         /* the agent's own code: its frames are left out */
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
	return &cache[pc % SETS];
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

/* By any rule, with all registers. Old ones are read before any is replaced. */
static COLD int step_rule(struct walk *w, const struct rule *u)
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

static ALWAYS_INLINE uint64_t key_of(uint64_t pc, int exact, uint32_t generation)
{
	return pc << 16 | (generation & 0xffff) | (uint64_t)exact << 63;
}

static ALWAYS_INLINE int match(const struct entry *e, uint64_t key, uint64_t *w)
{
	w[0] = LOAD(e->word[1]);
	w[1] = LOAD(e->word[2]);
	w[2] = LOAD(e->word[3]);
	return LOAD(e->word[0]) == mix(key, w);
}

static COLD int find_rule(uint64_t pc, int exact, uint32_t generation, union packed *out)
{
	uint64_t key = key_of(pc, exact, generation);
	struct set *s = set_of(pc);
	if (match(&s->way[0], key, out->word) || match(&s->way[1], key, out->word)) return 0;
	if (make_rule(pc, exact, &out->rule)) return -1;
	store(s, key, out);
	return 0;
}

static COLD int returns_to_known(uint64_t pc, uint32_t generation)
{
	union packed p;
	const struct module *m = modules_find(pc - 1);
	if (!m || pc < m->text + 7 || pc > m->text_end || !m->text_readable || !unwind_readable(pc - 7, 7)) return 0;
	return unwind_follows_call(pc) && !find_rule(pc, 0, generation, &p) && !(p.rule.flags & RULE_NONE);
}

/* Code without rules (made at run time): follows the frame pointers, and believes them only when they lead back to a call in code
   that has rules. Otherwise nothing of it is kept. */
static COLD int step_blind(struct walk *w, unsigned why, uint32_t generation)
{
	struct unwind_regs *r = w->regs;
	uint64_t fp = r->r[UNWIND_FP], sp = r->r[UNWIND_SP], next, pc;
	unsigned n = w->n;
	if (!(r->valid >> UNWIND_FP & 1)) return stop(w, why);
	for (unsigned i = 0; i < BLIND_MAX; i++) {
		if (fp < sp || read_word(w, fp, &next) || read_word(w, fp + 8, &pc) || pc < SYS_PAGE || pc >> 47) break;
		sp = fp + 16;
		fp = next;
		if (returns_to_known(pc, generation)) {
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

static COLD int step(struct walk *w, uint32_t generation)
{
	union packed p;
	if (find_rule(w->regs->pc, w->exact, generation, &p)) return step_blind(w, WIRE_CUT_UNKNOWN_CODE, generation);
	if (p.rule.flags & RULE_LAST) return -1;
	if (p.rule.flags & RULE_NONE) return step_blind(w, WIRE_CUT_NO_RULE, generation);
	if (p.rule.flags & RULE_KERNEL) return step_kernel(w);
	w->exact = !!(p.rule.flags & RULE_EXACT);
	return step_rule(w, &p.rule);
}

/* Takes a return address into the result. Returns 0 when the walk is over. */
static ALWAYS_INLINE int admit(struct walk *w, uint64_t pc)
{
	if (UNLIKELY(!pc)) return 0;
	if (UNLIKELY(pc >> 47 || !w->steps--)) {
		w->cut = 1 + (pc >> 47 ? WIRE_CUT_UNKNOWN_CODE : WIRE_CUT_DEPTH);
		return 0;
	}
	if (UNLIKELY(pc - w->own < w->own_size)) return 1;
	if (UNLIKELY(w->n == w->max)) {
		w->cut = 1 + WIRE_CUT_DEPTH;
		return 0;
	}
	w->pc[w->n++] = pc;
	return 1;
}

/* Nearly every frame's CFA is counted from its stack or frame pointer, so these two are enough to walk nearly every stack. Returns 0
   when one is met that needs more. Changes no register of w->regs. The rule is taken apart in registers: a detour through memory
   would cost more than all the rest. */
static ALWAYS_INLINE int walk_quickly(struct walk *w, uint32_t generation)
{
	struct unwind_bounds *b = w->bounds;
	uint64_t pc = w->regs->pc, sp = w->regs->r[UNWIND_SP], fp = w->regs->r[UNWIND_FP];
	while (admit(w, pc)) {
		uint64_t word[3], key = key_of(pc, 0, generation);
		const struct set *s = set_of(pc);
		if (UNLIKELY(!match(&s->way[0], key, word)) && UNLIKELY(!match(&s->way[1], key, word))) {
			union packed p;
			if (find_rule(pc, 0, generation, &p)) return 0;
			word[0] = p.word[0];
			word[1] = p.word[1];
		}
		int64_t off = (int32_t)word[0], low = (int16_t)(word[0] >> 32), saved_fp = (int16_t)(word[1] >> 16);
		uint64_t form = word[0] >> 48;
		if (UNLIKELY(form != UNWIND_SP && form != UNWIND_FP)) return form >> 8 & RULE_LAST;
		uint64_t cfa = (form == UNWIND_SP ? sp : fp) + (uint64_t)off, depth = (uint64_t)-low * 8;
		if (UNLIKELY(cfa <= sp || cfa % 8 || cfa > b->hi || cfa - b->lo < depth))
			if (cfa <= sp || cfa % 8 || cfa <= depth || reach(w, cfa - depth, cfa)) {
				w->cut = 1 + WIRE_CUT_BOUNDS;
				return 1;
			}
		const uint64_t *top = (const uint64_t *)cfa;
		if (saved_fp) fp = top[saved_fp];
		pc = top[-1];
		sp = cfa;
	}
	return 1;
}

static COLD void walk_fully(struct walk *w, uint32_t generation)
{
	while (admit(w, w->regs->pc) && !step(w, generation))
		;
}

unsigned unwind_walk(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut, struct unwind_regs *regs)
{
	const struct module *self = modules_self();
	struct walk w = {
		.bounds = b, .regs = regs, .pc = pc, .max = max, .steps = max + DROPPED_MAX, .probes = UNWIND_PROBES,
		.own = self ? self->start : 0, .own_size = self ? self->end - self->start : 0,
	};
	uint32_t generation = modules_generation();
	uintptr_t sp = regs->r[UNWIND_SP];
	if (UNLIKELY(sp < b->lo || sp >= b->hi) && settle(&w, sp)) w.cut = 1 + WIRE_CUT_BOUNDS;
	else if (!walk_quickly(&w, generation)) {
		w.n = 0;
		w.steps = max + DROPPED_MAX;
		walk_fully(&w, generation);
	}
	*cut = w.cut;
	return w.n;
}
