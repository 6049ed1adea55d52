/* leaving.c: see leaving.h. */
#include "inspect/attach/leaving.h"

#include <stdlib.h>

#include "inspect/attach/inside.h"
#include "inspect/attach/seize.h"
#include "inspect/perf/unwind.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { COPIES = 64, STACK_MAX = 256 << 10, DEPTH = 4096 };

struct copy { pid_t tid; struct unwind_sample sample; uint8_t *stack; };

struct leaving {
	pid_t *outside; size_t n;
	struct copy copy[COPIES]; size_t copies;        /* of the last look */
};

struct leaving *leaving_new(void) { return xcalloc(1, sizeof(struct leaving)); }

static void drop_copies(struct leaving *l)
{
	while (l->copies) free(l->copy[--l->copies].stack);
}

void leaving_free(struct leaving *l)
{
	if (!l) return;
	drop_copies(l);
	free(l->outside);
	free(l);
}

static int is_outside(const struct leaving *l, size_t known, pid_t tid)
{
	for (size_t i = 0; i < known; i++)
		if (l->outside[i] == tid) return 1;
	return 0;
}

static void set_outside(struct leaving *l, pid_t tid)
{
	if (!(l->n & (l->n - 1))) l->outside = xreallocarray(l->outside, l->n ? 2 * l->n : 1, sizeof *l->outside);
	l->outside[l->n++] = tid;
}

/* The stack that it is on, up to its end. On another than its own (a signal's, a coroutine's) the walk does not come to an end. */
static void take_copy(struct leaving *l, const struct target *t, pid_t tid)
{
	struct copy *c = &l->copy[l->copies];
	uint64_t reg[UNWIND_REGS];

	if (l->copies == COPIES || seize_all_registers(tid, reg)) return;
	uint64_t sp = reg[UNWIND_SP];
	const struct map *m = maps_find(&t->maps, sp);
	if (!m) return;
	size_t n = m->end - sp < STACK_MAX ? (size_t)(m->end - sp) : STACK_MAX;
	*c = (struct copy){ .tid = tid, .stack = xmalloc(n) };
	for (size_t i = 0; i < UNWIND_REGS; i++) c->sample.reg[i] = reg[i];
	c->sample.stack = c->stack;
	c->sample.n = mem_read_some(t->mem, sp, c->stack, n);
	l->copies++;
}

pid_t leaving_look(struct leaving *l, const struct seize *s, const struct target *t, const struct target_stack *stack, size_t stacks, const struct inside_range *range, size_t n)
{
	pid_t inside = 0;
	size_t known = l->n;    /* each thread comes once */

	drop_copies(l);
	for (size_t i = 0; i < s->n; i++) {
		struct seize one = { .pid = s->pid, .thread = &s->thread[i], .n = 1 };
		pid_t tid = s->thread[i].tid;
		if (is_outside(l, known, tid)) continue;
		if (!inside_find(&one, t, stack, stacks, range, n)) {
			set_outside(l, tid);
			continue;
		}
		inside = tid;
		take_copy(l, t, tid);
	}
	return inside;
}

void leaving_unwind(struct leaving *l, const struct target *t)
{
	struct unwinder *u = l->copies ? unwind_open(t) : NULL;
	uint64_t *pc = u ? xcalloc(DEPTH, sizeof *pc) : NULL;

	for (size_t i = 0; i < l->copies; i++) {
		struct unwound w = unwind_stack(u, &l->copy[i].sample, pc, DEPTH);
		if (!w.scanned && w.whole) set_outside(l, l->copy[i].tid);
	}
	drop_copies(l);
	free(pc);
	unwind_close(u);
}
