/* residence.c: see residence.h. A sorted array of blocks of 2 MiB, of those only where anything is there: address space costs nothing,
 * however much of it a target has reserved. */
#include "inspect/allocator/residence.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/err.h"
#include "inspect/target/pagemap.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { PAGE = 4096, BLOCK = 2 << 20, PAGES = BLOCK / PAGE, RUNS = 256, TOLD_BITS = 13, TOLD = (1 << TOLD_BITS) - 1 };

struct block {
	uint64_t base;
	uint64_t present[PAGES / 64], swapped[PAGES / 64];
	uint16_t *told;                 /* bytes accounted for, by page, and above them who told first; NULL: none */
};

struct residence {
	struct block *block;
	size_t n, cap, hint;
	uint64_t total;
	unsigned owner;
	uint64_t budget;                /* bytes that may still be told: a liar must not keep us busy */
};

static int get(const uint64_t *bits, unsigned i)
{
	return bits[i / 64] >> i % 64 & 1;
}

/* Runs come in ascending order. */
static void add_run(struct residence *r, uint64_t start, uint64_t end, int present)
{
	for (uint64_t at = start; at < end; at += PAGE) {
		uint64_t base = at & ~(uint64_t)(BLOCK - 1);
		unsigned i = (unsigned)((at - base) / PAGE);
		if (!r->n || r->block[r->n - 1].base != base) {
			if (r->n == r->cap) r->block = xreallocarray(r->block, r->cap = r->cap ? r->cap * 2 : 64, sizeof *r->block);
			r->block[r->n++] = (struct block){ .base = base };
		}
		(present ? r->block[r->n - 1].present : r->block[r->n - 1].swapped)[i / 64] |= UINT64_C(1) << i % 64;
		if (present) r->total += PAGE;
	}
}

/* Does the kernel count these pages as resident? Not those of devices and of its own data, nor reserved huge pages. */
static int counts(const struct map *m)
{
	static const char *const dev[] = { "/dev/shm/", "/dev/zero", "/dev/ashmem", NULL };

	if (!strncmp(m->path, "[vvar", 5) || !strcmp(m->path, "[vsyscall]") || !strncmp(m->path, "/anon_hugepage", 14)) return 0;
	if (strncmp(m->path, "/dev/", 5)) return 1;
	for (const char *const *d = dev; *d; d++)
		if (!strncmp(m->path, *d, strlen(*d))) return 1;
	return 0;
}

static void scan(struct residence *r, struct pagemap *pages, uint64_t start, uint64_t end)
{
	struct pagemap_run run[RUNS];

	for (uint64_t at = start, until; at < end; at = until) {
		size_t n = pagemap_runs(pages, at, end, run, RUNS, &until);
		for (size_t i = 0; i < n; i++) add_run(r, run[i].start, run[i].end, run[i].flags & PAGEMAP_PRESENT);
		if (until <= at) break;
	}
}

int residence_open(const struct target *t, struct residence **out, struct err *e)
{
	struct residence *r = xcalloc(1, sizeof *r);
	struct pagemap *pages = NULL;

	if (t->pid && !(pages = pagemap_open(t->pid, e))) {
		free(r);
		return -1;
	}
	/* mappings in a row at once: each call waits for whoever changes the target's, and a thread has three of them */
	for (size_t i = 0, first; pages && i < t->maps.n; i++) {
		const struct map *m = t->maps.map;
		if (!counts(&m[i])) continue;
		for (first = i; i + 1 < t->maps.n && m[i + 1].start == m[i].end && counts(&m[i + 1]);) i++;
		scan(r, pages, m[first].start, m[i].end);
	}
	for (size_t i = 0; !pages && i < t->ndumped; i++) add_run(r, t->dumped[i].start, t->dumped[i].end & ~(uint64_t)(PAGE - 1), 1);
	pagemap_close(pages);
	r->budget = (uint64_t)r->n * BLOCK * 16 + (UINT64_C(1) << 30);
	*out = r;
	return 0;
}

void residence_close(struct residence *r)
{
	if (!r) return;
	for (size_t i = 0; i < r->n; i++) free(r->block[i].told);
	free(r->block);
	free(r);
}

uint64_t residence_total(const struct residence *r)
{
	return r->total;
}

/* The first block that ends behind addr. */
static size_t find(struct residence *r, uint64_t addr)
{
	size_t lo = 0, hi = r->n;

	if (r->hint < r->n && r->block[r->hint].base <= addr && addr - r->block[r->hint].base < BLOCK) return r->hint;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (r->block[mid].base + BLOCK <= addr) lo = mid + 1;
		else hi = mid;
	}
	return r->hint = lo;
}

/* Part of one page of a block. */
static void take_page(struct block *b, unsigned i, unsigned n, unsigned owner, struct residence_sum *whole, struct residence_sum *rest)
{
	int present = get(b->present, i);

	if (!present && !get(b->swapped, i)) {
		whole->absent += n;
		return;
	}
	struct residence_sum *sum = b->told[i] ? rest : whole;
	unsigned left = PAGE - (b->told[i] & TOLD), some = n < left ? n : left;
	if (!b->told[i]) b->told[i] = (uint16_t)(owner << TOLD_BITS);
	b->told[i] = (uint16_t)(b->told[i] + some);
	if (present) sum->resident += some;
	else sum->swapped += some;
}

void residence_take_rest(struct residence *r, uint64_t start, uint64_t bytes, struct residence_sum *whole, struct residence_sum *rest)
{
	uint64_t end = start + bytes < start ? UINT64_MAX : start + bytes, at = start;

	for (size_t k = find(r, start); at < end && k < r->n; k++) {
		struct block *b = &r->block[k];
		if (b->base >= end) break;
		if (b->base > at) whole->absent += b->base - at, at = b->base;
		uint64_t stop = end - b->base < BLOCK ? end : b->base + BLOCK;
		if (stop - at > r->budget) return;
		r->budget -= stop - at;
		if (!b->told) b->told = xcalloc(PAGES, sizeof *b->told);
		for (uint64_t next; at < stop; at = next) {
			next = (at | (PAGE - 1)) + 1;
			if (next > stop) next = stop;
			take_page(b, (unsigned)((at - b->base) / PAGE), (unsigned)(next - at), r->owner, whole, rest);
		}
	}
	if (at < end) whole->absent += end - at;
}

void residence_owner(struct residence *r, unsigned owner)
{
	r->owner = owner % RESIDENCE_OWNERS;
}

void residence_owners(struct residence *r, uint64_t start, uint64_t end, uint64_t by[RESIDENCE_OWNERS + 1], struct residence_sum *sum)
{
	for (size_t k = find(r, start); k < r->n && r->block[k].base < end; k++) {
		const struct block *b = &r->block[k];
		uint64_t at = b->base > start ? b->base : start, stop = end - b->base < BLOCK ? end : b->base + BLOCK;
		for (; at < stop; at += PAGE) {
			unsigned i = (unsigned)((at - b->base) / PAGE);
			if (get(b->present, i)) sum->resident += PAGE;
			else if (get(b->swapped, i)) sum->swapped += PAGE;
			else continue;
			by[b->told && b->told[i] ? b->told[i] >> TOLD_BITS : RESIDENCE_OWNERS] += PAGE;
		}
	}
}

void residence_take(struct residence *r, uint64_t start, uint64_t bytes, struct residence_sum *sum)
{
	residence_take_rest(r, start, bytes, sum, sum);
}
