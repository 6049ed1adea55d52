/* target_stacks.c: where the stacks of a process are. The main thread's bears a name in the maps; any other is a mapping that a C
 * library made, with a guard below and the thread's own block near its upper end, and that block holds the mapping's address and
 * size. Blocks are found from the threads that the kernel knows (glibc), by musl's ring of threads, and behind guards. */
#include "inspect/target/target.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { BLOCK = 0x900, ABOVE_MAX = 1 << 20, TAIL = 16 << 10, TID_REACH = 1024, RING_MAX = 1 << 20 };

struct stacks {
	const struct target *t;
	struct target_stack *stack;
	size_t n;
};

static void add(struct stacks *s, uint64_t start, uint64_t end, pid_t tid)
{
	if (!(s->n & (s->n - 1))) s->stack = xreallocarray(s->stack, s->n ? s->n * 2 : 1, sizeof *s->stack);
	s->stack[s->n++] = (struct target_stack){ start, end, tid };
}

/* Two neighbouring words of the block: address and size of the mapping that the block itself lies in. */
static int add_around(struct stacks *s, uint64_t tp, pid_t tid)
{
	uint64_t word[BLOCK / 8];
	size_t n = mem_read_some(s->t->mem, tp, word, sizeof word) / 8;

	for (size_t i = 0; i + 1 < n; i++) {
		uint64_t end;
		if (!word[i] || word[i] % 4096 || word[i + 1] % 4096 || word[i] >= tp || __builtin_add_overflow(word[i], word[i + 1], &end)) continue;
		if (end <= tp || end - tp > ABOVE_MAX) continue;
		const struct map *m = maps_find(&s->t->maps, end - 1);
		if (!m || !target_is_anonymous(s->t, end - 1)) continue;
		add(s, word[i] > m->start ? word[i] : m->start, end, tid);
		return 1;
	}
	return 0;
}

/* The thread that calls itself so; 0 if none. They ascend by inner number as they do by ours. */
static pid_t thread_of(const struct target *t, pid_t inner)
{
	size_t lo = 0, hi = t->nthreads;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->thread[mid].inner < inner) lo = mid + 1;
		else hi = mid;
	}
	return lo < t->nthreads && t->thread[lo].inner == inner ? t->thread[lo].tid : 0;
}

/* All threads of the ring that this block stands in. */
static int add_ring(struct stacks *s, uint64_t first)
{
	uint64_t at = first;
	pid_t tid;
	unsigned n = 0;

	do {
		uint64_t next = target_thread_next(s->t, at, &tid);
		if (!next) break;
		add_around(s, at, thread_of(s->t, tid));
		at = next;
	} while (at != first && ++n <= 2 * s->t->nthreads && n < RING_MAX);
	return at == first;
}

static int by_start(const void *a, const void *b)
{
	const struct target_stack *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static int known(const struct stacks *s, size_t n, uint64_t start)
{
	struct target_stack key = { .start = start };

	return n && bsearch(&key, s->stack, n, sizeof key, by_start);
}

/* Words at the upper end of a mapping that point to themselves begin a thread's block: of a thread, or left by one that has ended. */
static void search_tail(struct stacks *s, const struct map *m, int *ring)
{
	uint64_t word[TAIL / 8], at = m->end - m->start > TAIL ? m->end - TAIL : m->start;
	size_t n = target_peek(s->t, at, word, (size_t)(m->end - at)) / 8;

	for (size_t i = 0; i < n; i++, at += 8) {
		pid_t tid;
		if (word[i] != at) continue;
		if (i + 2 < n && word[i + 2] == at) {   /* glibc's header; its tid is zero when it has ended */
			if (add_around(s, at, 0)) return;
		} else if (!*ring && target_thread_next(s->t, at, &tid) && thread_of(s->t, tid)) {
			*ring = add_ring(s, at);
			return;
		}
	}
}

static int is_guarded(const struct target *t, size_t i)
{
	const struct map *m = &t->maps.map[i];

	return i && m[-1].end == m->start && !m[-1].read && !m[-1].write && !m[-1].exec && !m[-1].inode && target_is_anonymous(t, m->start);
}

/* Sorted, and none twice. */
static void settle(struct stacks *s)
{
	size_t kept = 0;

	if (s->n) qsort(s->stack, s->n, sizeof *s->stack, by_start);
	for (size_t i = 0; i < s->n; i++) {
		if (kept && s->stack[i].start < s->stack[kept - 1].end) {
			if (!s->stack[kept - 1].tid) s->stack[kept - 1].tid = s->stack[i].tid;
		} else {
			s->stack[kept++] = s->stack[i];
		}
	}
	s->n = kept;
}

size_t target_stacks(const struct target *t, struct target_stack **out)
{
	struct stacks s = { .t = t };
	size_t sorted;
	int ring = 0;

	for (size_t i = 0; i < t->nthreads; i++) {
		uint64_t tp = target_thread_pointer(t, &t->thread[i]);
		if (tp) add_around(&s, tp, t->thread[i].tid);
	}
	for (size_t i = 0; i < t->maps.n; i++)
		if (!strcmp(t->maps.map[i].path, "[stack]")) add(&s, t->maps.map[i].start, t->maps.map[i].end, t->pid);
	settle(&s);
	sorted = s.n;
	for (size_t i = 1; i < t->maps.n; i++)
		if (is_guarded(t, i) && !known(&s, sorted, t->maps.map[i].start)) search_tail(&s, &t->maps.map[i], &ring);
	settle(&s);
	*out = s.stack;
	return s.n;
}
