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
#include "scan.h"
#include "sys.h"

enum { WAYS = 2, SETS = 2048, BLIND_MAX = 128, DROPPED_MAX = 64, MARKS_MAX = 8, KNOWN = (1 << RULE_REGS) - 1 };

struct entry { uint64_t word[4]; };
union packed { struct rule rule; uint64_t word[3]; };
struct set { struct entry way[WAYS]; } ALIGNED(64);

static struct set cache[SETS];
static uintptr_t main_top;

struct walk {
	struct unwind_bounds *bounds;
	struct unwind_regs *regs;
	uint64_t *out;
	uint64_t own, own_size;         /* the agent's own code: its frames are left out */
	uint64_t pc, sp, fp;            /* where walk_quickly stands */
	uint32_t n, max, cut, steps, probes, generation;
	struct unwind_mark *mark;       /* the next to go on at */
};

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
	uintptr_t frame = r->r[RULE_SP];
	if (frame % 8 || ((frame < w->bounds->lo || frame + UNWIND_CONTEXT > w->bounds->hi) && reach(w, frame, frame + UNWIND_CONTEXT)))
		return stop(w, WIRE_CUT_BOUNDS);
	for (unsigned i = 0; i < RULE_REGS; i++) r->r[i] = *(const uint64_t *)(frame + unwind_context_offset(i));
	r->pc = *(const uint64_t *)(frame + unwind_context_offset(RULE_REGS));
	r->valid = KNOWN;
	uintptr_t sp = r->r[RULE_SP];
	if ((sp < w->bounds->lo || sp > w->bounds->hi) && settle(w, sp)) return stop(w, WIRE_CUT_BOUNDS);
	return 0;
}

/* By any rule, with all registers. Old ones are read before any is replaced. */
static COLD int step_rule(struct walk *w, const struct rule *u)
{
	struct unwind_regs *r = w->regs;
	unsigned reg = u->cfa & 15, base_reg = u->cfa >> 4;
	uint64_t cfa = r->r[reg] + (uint64_t)(int64_t)u->off, base = r->r[base_reg];
	int base_known = r->valid >> base_reg & 1;
	if (!(r->valid >> reg & 1)) return stop(w, WIRE_CUT_NO_RULE);
	if (u->flags & RULE_DEREF) {
		if (read_word(w, cfa, &cfa)) return stop(w, WIRE_CUT_BOUNDS);
		cfa += (uint64_t)(int64_t)u->add;
	}
	if (cfa <= r->r[RULE_SP] || read_word(w, cfa - 8, &r->pc)) return stop(w, WIRE_CUT_BOUNDS);
	for (unsigned i = 0; i < RULE_SAVED; i++) {
		unsigned based = u->based >> i & 1;
		if (u->lost >> i & 1 || (based && !base_known)) {
			r->valid &= ~(1ULL << i);
			continue;
		}
		if (!based && !u->reg[i]) continue;
		if (read_word(w, (based ? base : cfa) + (uint64_t)(int64_t)u->reg[i] * 8, &r->r[i])) return stop(w, WIRE_CUT_BOUNDS);
		r->valid |= 1ULL << i;
	}
	r->r[RULE_SP] = cfa;
	return 0;
}

static COLD int follows_call(uint64_t pc)
{
	const struct module *m = modules_find(pc - 1);
	return m && m->text_readable && pc >= m->text + 7 && pc <= m->text_end && unwind_readable(pc - 7, 7) && unwind_follows_call(pc);
}

/* By the frame pointer alone. If this function keeps none, the frame pointer is some caller's, and its own return address lies on
   the way there: so nothing that looks like one may. */
static COLD int step_blind(struct walk *w)
{
	enum { FRAME_MAX = 1 << 13 };
	struct unwind_regs *r = w->regs;
	uint64_t fp = r->r[RULE_FP], sp = r->r[RULE_SP], word;
	if (!(r->valid >> RULE_FP & 1) || fp < sp || fp - sp > FRAME_MAX || read_word(w, fp, &word)) return -1;
	for (; sp < fp; sp += 8)
		if (read_word(w, sp, &word) || follows_call(word)) return -1;
	if (read_word(w, fp + 8, &r->pc) || read_word(w, fp, &r->r[RULE_FP]) || r->pc < SYS_PAGE) return -1;
	r->r[RULE_SP] = fp + 16;
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

/* Makes the rule for an address that the cache does not know, and keeps it. 0, or -1 when no module covers it: that is not worth
   keeping. */
static COLD int make_rule(struct walk *w, uint64_t pc, int exact, union packed *out)
{
	const struct module *m = modules_find(pc - !exact);
	*out = (union packed){ .rule = { .flags = RULE_NONE } };
	if (!m) return -1;
	if (m->text_readable && pc >= m->text && pc + 9 <= m->text_end && unwind_readable(pc, 9) && unwind_is_trampoline(pc))
		out->rule.flags = RULE_KERNEL;
	else
		ehframe_rule(m, pc, exact, &out->rule);
	store(set_of(pc), key_of(pc, exact, w->generation), out);
	return 0;
}

static ALWAYS_INLINE int find_rule(struct walk *w, uint64_t pc, int exact, union packed *out)
{
	uint64_t key = key_of(pc, exact, w->generation);
	const struct set *s = set_of(pc);
	if (match(&s->way[0], key, out->word) || match(&s->way[1], key, out->word)) return 0;
	return make_rule(w, pc, exact, out);
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
	w->out[w->n++] = pc;
	return 1;
}

enum quick { DONE, MISS, SPECIAL };

/* Nearly every frame's CFA is counted from its stack or frame pointer, so these two are enough to walk nearly every stack. Stops
   where the cache has no rule, or a rule needs more; changes no register of w->regs. The rule is taken apart in registers: a detour
   through memory would cost more than all the rest. */
static ALWAYS_INLINE enum quick walk_quickly(struct walk *w)
{
	struct unwind_bounds *b = w->bounds;
	uint64_t pc = w->pc, sp = w->sp, fp = w->fp;
	do {
		uint64_t word[3], key = key_of(pc, 0, w->generation);
		const struct set *s = set_of(pc);
		if (UNLIKELY(!match(&s->way[0], key, word)) && UNLIKELY(!match(&s->way[1], key, word))) {
			w->pc = pc;
			w->sp = sp;
			w->fp = fp;
			return MISS;
		}
		int64_t off = (int32_t)word[0], low = (int16_t)(word[0] >> 32), saved_fp = (int16_t)(word[1] >> 16 * RULE_FP);
		uint64_t form = word[0] >> 48;
		if (UNLIKELY(form != RULE_SP && form != RULE_FP)) return form >> 8 & RULE_LAST ? DONE : SPECIAL;
		uint64_t cfa = (form == RULE_SP ? sp : fp) + (uint64_t)off, depth = (uint64_t)-low * 8;
		if (UNLIKELY(cfa <= sp || cfa % 8 || cfa > b->hi || cfa - b->lo < depth))
			if (cfa <= sp || cfa % 8 || cfa <= depth || reach(w, cfa - depth, cfa)) {
				w->cut = 1 + WIRE_CUT_BOUNDS;
				return DONE;
			}
		const uint64_t *top = (const uint64_t *)cfa;
		if (saved_fp) fp = top[saved_fp];
		pc = top[-1];
		sp = cfa;
	} while (admit(w, pc));
	return DONE;
}

/* Goes on at the mark that was set on the way into code without tables. One that a longjmp left behind is told by the return address
   that its call has put below it: it is no more in the agent. */
static COLD int step_mark(struct walk *w)
{
	uint64_t word, sp = w->regs->r[RULE_SP];
	for (unsigned i = 0; w->mark && i < MARKS_MAX; i++) {
		struct unwind_mark *m = w->mark;
		if (read_word(w, (uintptr_t)m, &word) || read_word(w, (uintptr_t)(m + 1) - 8, &word)) return -1;
		w->mark = m->outer;
		if (m->sp <= sp) continue;
		if (m->pc - w->own >= w->own_size || read_word(w, m->sp - 8, &word) || word - w->own >= w->own_size) return -1;
		w->regs->pc = m->pc;
		w->regs->r[RULE_SP] = m->sp;
		w->regs->valid = 1 << RULE_SP;
		return 0;
	}
	return -1;
}

/* libc's start code, where it has no tables: told by how near it is to the beginning of the stack. musl 1.2.3 has 48 bytes between the
   caller of main and argc, and 88 and the thread-local storage between the caller of a thread's function and its control block; a
   callback through qsort is a thousand bytes further in. */
static COLD int at_start(uintptr_t sp)
{
	enum { MAIN = 112, THREAD = 256 };
	return LOAD(main_top) - sp <= MAIN || cpu_thread_pointer() - sp <= THREAD + modules_tls();
}

/* All registers, all kinds of frames. Code that nothing describes (made at run time) is crossed by its frame pointers, which are
   believed only when they lead back to a call in code that has rules, and from there to another call; otherwise nothing of it is
   kept. */
static ALWAYS_INLINE void walk_fully(struct walk *w, union packed *p)
{
	struct unwind_regs *r = w->regs;
	unsigned blind = 0, kept = 0, why = 0;
	uint64_t stuck_sp = 0;
	int exact = 0, landed = 0;
	while (admit(w, r->pc)) {
		int unknown = find_rule(w, r->pc, exact, p);
		if (blind && (unknown || p->rule.flags & RULE_ABSENT || !follows_call(r->pc))) unknown = 1;
		else if (p->rule.flags & RULE_ABSENT) unknown = 1;
		if (unknown && !blind && !step_mark(w)) {
			exact = 0;
			continue;
		}
		if (unknown && !landed) {
			if (!blind) {
				stuck_sp = r->r[RULE_SP];
				kept = w->n;
				why = modules_find(r->pc) ? WIRE_CUT_NO_RULE : WIRE_CUT_UNKNOWN_CODE;
			}
			if (++blind > BLIND_MAX || step_blind(w)) break;
			exact = 0;
			continue;
		}
		if (landed && !follows_call(r->pc)) break;
		if (landed) blind = 0;
		landed = !!blind;
		if (landed) r->valid = 1 << RULE_FP | 1 << RULE_SP;
		if (p->rule.flags & RULE_LAST) return;
		if (p->rule.flags & RULE_NONE) {
			stop(w, WIRE_CUT_NO_RULE);
			break;
		}
		if (p->rule.flags & RULE_KERNEL ? step_kernel(w) : step_rule(w, &p->rule)) break;
		exact = !!(p->rule.flags & (RULE_KERNEL | RULE_EXACT));
	}
	if (!blind) return;
	w->n = kept;
	w->cut = why == WIRE_CUT_NO_RULE && at_start(stuck_sp) ? 0 : 1 + why;
}

unsigned unwind_walk(struct unwind_bounds *b, uint64_t *pc, unsigned max, unsigned *cut, struct unwind_regs *regs)
{
	struct scan_range own = scan_own();
	struct walk w = {
		.bounds = b, .regs = regs, .out = pc, .max = max, .steps = max + DROPPED_MAX, .probes = UNWIND_PROBES,
		.pc = regs->pc, .sp = regs->r[RULE_SP], .fp = regs->r[RULE_FP], .generation = modules_generation(),
		.mark = b->mark, .own = own.start, .own_size = own.size,
	};
	enum quick how = DONE;
	union packed p;
	if (UNLIKELY(w.sp < b->lo || w.sp >= b->hi) && settle(&w, w.sp)) w.cut = 1 + WIRE_CUT_BOUNDS;
	else if (admit(&w, w.pc)) how = walk_quickly(&w);
	/* a rule just made may be gone again, so the number of tries is bounded */
	for (unsigned i = 0; how == MISS; i++) {
		how = SPECIAL;
		if (i < max + DROPPED_MAX && !make_rule(&w, w.pc, 0, &p)) how = walk_quickly(&w);
	}
	if (how == SPECIAL) {
		w.n = 0;
		w.steps = max + DROPPED_MAX;
		walk_fully(&w, &p);
	}
	*cut = w.cut;
	return w.n;
}

void unwind_expect(const uint64_t *pc, unsigned n)
{
	for (unsigned i = 0; i < n; i++) __builtin_prefetch(set_of(pc[i]));
}

int unwind_blind(uintptr_t pc)
{
	const struct module *m = modules_find(pc);
	struct rule rule = { .flags = RULE_NONE };
	if (m) ehframe_rule(m, pc, 1, &rule);
	return m && rule.flags & (RULE_NONE | RULE_ABSENT);
}

void unwind_set_top(uintptr_t top)
{
	STORE(main_top, top);
}
