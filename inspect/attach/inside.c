/* inside.c: see inside.h. A thread's stack is looked at from its stack pointer upwards; when it is on another one (sigaltstack, a
 * coroutine's), its own is looked at whole. What lies below the stack pointer is left over from calls that have returned. */
#include "inspect/attach/inside.h"

#include <stdlib.h>

#include "inspect/attach/seize.h"
#include "inspect/target/mem.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { PIECE = 64 << 10, STACK_MAX = 16 << 20 };

struct search { const struct target *t; const struct inside_range *range; size_t n; uint64_t *word; };

static int hit(const struct search *s, uint64_t v)
{
	for (size_t i = 0; i < s->n; i++)
		if (v >= s->range[i].start && v < s->range[i].end) return 1;
	return 0;
}

static int on_stack(const struct search *s, uint64_t from, uint64_t to)
{
	from &= -(uint64_t)8;
	if (to - from > STACK_MAX) to = from + STACK_MAX;
	while (from < to) {
		size_t n = mem_read_some(s->t->mem, from, s->word, to - from < PIECE ? (size_t)(to - from) : PIECE);
		for (size_t i = 0; i < n / 8; i++)
			if (hit(s, s->word[i])) return 1;
		if (n < 8) break;
		from += n;
	}
	return 0;
}

static int thread_inside(const struct search *s, const struct seized *t, const struct target_stack *stack, size_t stacks)
{
	uint64_t sp = t->sp;

	if (hit(s, t->pc)) return 1;
	const struct map *m = maps_find(&s->t->maps, sp);
	if (m && on_stack(s, sp, m->end)) return 1;
	for (size_t i = 0; i < stacks; i++)
		if (stack[i].tid == t->tid && (sp < stack[i].start || sp >= stack[i].end) && on_stack(s, stack[i].start, stack[i].end)) return 1;
	return 0;
}

pid_t inside_find(const struct seize *s, const struct target *t, const struct target_stack *stack, size_t stacks, const struct inside_range *range, size_t n)
{
	struct search search = { t, range, n, xmalloc(PIECE) };
	struct target_stack *found_now = NULL;
	pid_t found = 0;

	if (!stack) {
		stacks = target_stacks(t, &found_now);
		stack = found_now;
	}
	for (size_t i = 0; i < s->n && !found; i++)
		if (thread_inside(&search, &s->thread[i], stack, stacks)) found = s->thread[i].tid;
	free(found_now);
	free(search.word);
	return found;
}
