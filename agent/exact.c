/* exact.c: see exact.h. A thread writes its own row without atomics; row 0 is shared. Both sides are classed by the usable size: it is
 * the only one that is known when a block is freed. */
#include "exact.h"
#include "real.h"
#include "segment.h"
#include "thread.h"

static void add(uint64_t *at, uint64_t v, int shared)
{
	if (shared) ADD(*at, v);
	else STORE(*at, *at + v);
}

static struct wire_exact *row(const struct thread *t, size_t usable)
{
	return segment.exact + (size_t)wire_thread_slot(t->id) * WIRE_CLASSES + wire_class_of(usable);
}

void exact_allocated(struct thread *t, void *p, size_t n)
{
	if (!segment.exact) return;
	size_t usable = real_usable_size(p, n);
	int shared = !wire_thread_slot(t->id);
	struct wire_exact *x = row(t, usable);
	add(&x->allocs, 1, shared);
	add(&x->requested, n, shared);
	add(&x->usable, usable, shared);
}

void exact_freed(struct thread *t, size_t usable)
{
	if (!segment.exact) return;
	int shared = !wire_thread_slot(t->id);
	struct wire_exact *x = row(t, usable);
	add(&x->frees, 1, shared);
	add(&x->freed_usable, usable, shared);
}
