/* heap.c: the growing parts of a struct heap. See heap.h. */
#include "inspect/model/heap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/xalloc.h"

/* Room for one more, zeroed, behind the n that are there: capacities are powers of two, so n says when to grow. */
static void *grow(void *array, size_t n, size_t size)
{
	if (!(n & (n - 1))) array = xreallocarray(array, n ? n * 2 : 1, size);
	memset((char *)array + n * size, 0, size);
	return array;
}

struct heap_class *heap_add_class(struct heap_allocator *a)
{
	a->class = grow(a->class, a->nclasses, sizeof *a->class);
	return &a->class[a->nclasses++];
}

struct heap_class *heap_class_of(struct heap_allocator *a, uint64_t size)
{
	size_t lo = 0, hi = a->nclasses;

	/* readers ask in ascending order more often than not */
	if (hi && a->class[hi - 1].size < size) lo = hi;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (a->class[mid].size < size) lo = mid + 1;
		else hi = mid;
	}
	if (lo < a->nclasses && a->class[lo].size == size) return &a->class[lo];
	heap_add_class(a);
	memmove(&a->class[lo + 1], &a->class[lo], (a->nclasses - 1 - lo) * sizeof *a->class);
	a->class[lo] = (struct heap_class){ .size = size };
	return &a->class[lo];
}

struct heap_arena *heap_add_arena(struct heap_allocator *a)
{
	a->arena = grow(a->arena, a->narenas, sizeof *a->arena);
	return &a->arena[a->narenas++];
}

struct heap_thread *heap_thread_of(struct heap_allocator *a, int tid)
{
	/* readers go through the threads in ascending order */
	for (size_t i = a->nthreads; i-- > 0 && a->thread[i].tid >= tid;)
		if (a->thread[i].tid == tid) return &a->thread[i];
	a->thread = grow(a->thread, a->nthreads, sizeof *a->thread);
	a->thread[a->nthreads].tid = tid;
	return &a->thread[a->nthreads++];
}

void heap_add_lock(struct heap_allocator *a, enum heap_lock_kind kind, uint64_t addr, const char *name)
{
	struct heap_lock *l;

	a->lock = grow(a->lock, a->nlocks, sizeof *a->lock);
	l = &a->lock[a->nlocks++];
	l->kind = kind;
	l->addr = addr;
	snprintf(l->name, sizeof l->name, "%s", name);
}

void heap_add_fact(struct heap_allocator *a, const char *name, double value, const char *unit)
{
	if (a->nfacts < sizeof a->fact / sizeof *a->fact) a->fact[a->nfacts++] = (struct heap_fact){ name, value, unit };
}

void heap_allocator_free(struct heap_allocator *a)
{
	free(a->class);
	free(a->arena);
	free(a->lock);
	free(a->thread);
	*a = (struct heap_allocator){ 0 };
}

void heap_unknown(struct heap_allocator *a)
{
	a->mapped = a->live_objects = a->live_bytes = a->requested_bytes = a->cached_objects = a->cached_bytes = HEAP_UNKNOWN;
	a->free_objects = a->free_bytes = a->metadata_bytes = a->large_objects = a->large_bytes = HEAP_UNKNOWN;
}

void heap_free(struct heap *h)
{
	for (size_t i = 0; i < h->nallocators; i++) heap_allocator_free(&h->allocator[i]);
	free(h->allocator);
	free(h->ledger.row);
	free(h->map);
	free(h->thread);
	free(h->node);
	*h = (struct heap){ 0 };
}
