/* slots.c: see slots.h. */
#include "inspect/verdict/slots.h"

#include <string.h>

#include "inspect/model/heap.h"
#include "inspect/model/snapshot.h"

/* glibc: a header of 8 bytes, 16 where the block is mapped by itself. */
enum { PAGE = 4096, ALIGN = 16, HEADER = 8, MAPPED_HEADER = 16, SMALLEST = 24, THRESHOLD = 128 << 10 };

static uint64_t round_up(uint64_t v, uint64_t to) { return (v + to - 1) / to * to; }

static uint64_t glibc_slot(const struct heap_allocator *a, uint64_t size)
{
	uint64_t threshold = THRESHOLD;

	for (size_t i = 0; i < a->nfacts; i++)
		if (!strcmp(a->fact[i].name, "mmap_threshold")) threshold = (uint64_t)a->fact[i].value;
	if (size >= threshold) return round_up(size + MAPPED_HEADER, PAGE) - MAPPED_HEADER;
	return size <= SMALLEST ? SMALLEST : round_up(size + HEADER, ALIGN) - HEADER;
}

uint64_t slots_of(const struct heap_allocator *a, uint64_t size)
{
	if (size >> 46) return 0;
	if (!strcmp(a->name, "glibc")) return glibc_slot(a, size);
	size_t low = 0, high = a->nclasses;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (a->class[middle].size < size) low = middle + 1;
		else high = middle;
	}
	/* a live block's class is among them, unless it came after the heap was read */
	return low < a->nclasses && a->class[low].size <= 2 * size + 64 ? a->class[low].size : 0;
}

int slots_fill(struct snapshot *s, const struct heap_allocator *a)
{
	/* musl says itself what was asked for; oldmalloc's classes are not slots */
	if (!strncmp(a->name, "musl", 4) || (!a->nclasses && strcmp(a->name, "glibc"))) return -1;
	for (size_t i = 0; i < s->nlive; i++) {
		const struct snap_live *l = &s->live[i];
		uint64_t slot = l->size ? slots_of(a, l->size) : 0;
		if (slot > l->size) s->site[l->site].live_rounding += l->weight * (double)(slot - l->size) / (double)l->size;
	}
	return 0;
}
