/* heap_tables.c: the tables of alloctop heap: size classes, arenas, mappings, threads. */
#include "cmd/heap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/heap.h"
#include "inspect/target/xalloc.h"

enum { BAR = 16, OVERVIEW_ROWS = 12 };

struct row { uint64_t key; size_t index; };

static int by_key(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->key != y->key) return x->key < y->key ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

static uint64_t known(uint64_t v)
{
	return v == HEAP_UNKNOWN ? 0 : v;
}

/* Of n things the largest `most` (0: all), in descending order of key; free() it. */
static struct row *largest(size_t n, uint64_t (*key)(const void *things, size_t i), const void *things)
{
	struct row *r = xcalloc(n + 1, sizeof *r);

	for (size_t i = 0; i < n; i++) r[i] = (struct row){ key(things, i), i };
	qsort(r, n, sizeof *r, by_key);
	return r;
}

static void rest(const struct heap_look *look, size_t n, size_t shown, const char *what)
{
	if (n > shown) heap_line(look, "  and %zu more: --by %s shows all", n - shown, what);
}

/* Neighbouring sizes of an allocator that has thousands, gathered four to a doubling; others have few enough. */
static size_t gather(const struct heap_allocator *a, struct heap_class *out)
{
	enum { FEW = 200, FINE = 128 };
	size_t n = 0;

	for (size_t i = 0; i < a->nclasses; i++) {
		const struct heap_class *c = &a->class[i];
		uint64_t size = c->size;
		if (a->nclasses > FEW && size > FINE) {
			uint64_t step = (UINT64_C(1) << (63 - __builtin_clzll(size))) / 4;
			size = (size + step - 1) / step * step;
		}
		if (!n || out[n - 1].size != size) {
			out[n] = *c;
			out[n++].size = size;
			continue;
		}
		out[n - 1].live = c->live == HEAP_UNKNOWN ? HEAP_UNKNOWN : out[n - 1].live + c->live;
		out[n - 1].free += known(c->free);
		out[n - 1].cached += known(c->cached);
	}
	return n;
}

static uint64_t class_bytes(const void *things, size_t i)
{
	const struct heap_class *c = (const struct heap_class *)things + i;

	return (known(c->live) + known(c->free) + known(c->cached)) * c->size;
}

static void class_row(const struct heap_class *c, const struct heap_look *look)
{
	char size[32], live[32], freed[32], cached[32], bytes[32], req[32], bar[BAR + 1], part[16] = "-";
	double all = (double)known(c->live) + (double)known(c->free) + (double)known(c->cached);
	int w = look->exact ? 12 : 7;

	bar[0] = 0;
	if (c->live != HEAP_UNKNOWN && c->free != HEAP_UNKNOWN && all > 0) {
		snprintf(part, sizeof part, "%.0f%%", 100 * (double)c->live / all);
		heap_bar((double)c->live / all, BAR, bar, sizeof bar);
	}
	heap_line(look, "  %*s %*s %*s %*s %*s %*s %5s %s", w, heap_figure(look, c->size, size), w, heap_count(look, c->live, live), w,
	          heap_count(look, c->free, freed), w, heap_count(look, c->cached, cached), w,
	          heap_figure(look, c->live == HEAP_UNKNOWN ? HEAP_UNKNOWN : c->live * c->size, bytes), w, heap_figure(look, c->requested, req), part, bar);
}

static void class_table(const struct heap_allocator *a, const struct heap_look *look, size_t most)
{
	struct heap_class *c = xcalloc(a->nclasses + 1, sizeof *c);
	size_t n = gather(a, c), shown = 0;
	struct row *order = largest(n, class_bytes, c);
	unsigned char *show = xcalloc(n + 1, 1);
	int w = look->exact ? 12 : 7;

	puts("");
	heap_title(look, "  %*s %*s %*s %*s %*s %*s %5s   %s: size classes", w, "up to", w, "live", w, "free", w, "cached", w, "bytes", w, "asked", "used", a->name);
	for (size_t i = 0; i < n && (!most || i < most); i++) show[order[i].index] = 1, shown++;
	for (size_t i = 0; i < n; i++)
		if (show[i]) class_row(&c[i], look);
	rest(look, n, shown, "class");
	free(show);
	free(order);
	free(c);
}

static uint64_t arena_mapped(const void *things, size_t i)
{
	const struct heap_arena *a = (const struct heap_arena *)things + i;

	return a->mapped != HEAP_UNKNOWN ? a->mapped : known(a->live);
}

static void arena_table(const struct heap_allocator *a, const struct heap_look *look, size_t most)
{
	struct row *order = largest(a->narenas, arena_mapped, a->arena);
	size_t n = most && most < a->narenas ? most : a->narenas;
	int w = look->exact ? 14 : 8;

	puts("");
	heap_title(look, "  %-16s %7s %*s %*s %*s %*s %*s  %s", "arena", "threads", w, "mapped", w, "live", w, "free", w, "cached", w, "top", a->name);
	for (size_t i = 0; i < n; i++) {
		const struct heap_arena *r = &a->arena[order[i].index];
		char f[6][32];
		heap_line(look, "  %-16.16s %7s %*s %*s %*s %*s %*s", r->name, heap_count(look, r->threads, f[0]), w, heap_figure(look, r->mapped, f[1]), w,
		          heap_figure(look, r->live, f[2]), w, heap_figure(look, r->free, f[3]), w, heap_figure(look, r->cached, f[4]), w, heap_figure(look, r->top, f[5]));
	}
	rest(look, a->narenas, n, "arena");
	free(order);
}

static uint64_t map_resident(const void *things, size_t i)
{
	const struct heap_map *m = (const struct heap_map *)things + i;

	return m->resident + m->swapped;
}

static void map_table(const struct heap *h, const struct heap_look *look)
{
	struct row *order = largest(h->nmaps, map_resident, h->map);
	int w = look->exact ? 14 : 8;

	puts("");
	heap_title(look, "  %-16s %*s %*s %*s  %-20s %s", "start", w, "size", w, "resident", w, "swapped", "what", "path");
	for (size_t i = 0; i < h->nmaps; i++) {
		const struct heap_map *m = &h->map[order[i].index];
		char f[3][32];
		heap_line(look, "  %-16" PRIx64 " %*s %*s %*s  %-20.20s %s", m->start, w, heap_figure(look, m->end - m->start, f[0]), w,
		          heap_figure(look, m->resident, f[1]), w, heap_figure(look, m->swapped, f[2]), m->what, m->path);
	}
	free(order);
}

static uint64_t thread_bytes(const void *things, size_t i)
{
	const struct heap_thread *t = (const struct heap_thread *)things + i;

	return known(t->stack) + known(t->cached);
}

static void thread_table(const struct heap *h, const struct heap_look *look)
{
	struct row *order = largest(h->nthreads, thread_bytes, h->thread);
	int w = look->exact ? 12 : 8;

	puts("");
	heap_title(look, "  %8s %-16s %*s %*s %*s  %s", "tid", "name", w, "stack", w, "cached", w, "objects", "arena");
	for (size_t i = 0; i < h->nthreads; i++) {
		const struct heap_thread *t = &h->thread[order[i].index];
		char f[3][32];
		heap_line(look, "  %8d %-16s %*s %*s %*s  %s", t->tid, t->name, w, heap_figure(look, t->stack, f[0]), w, heap_figure(look, t->cached, f[1]), w,
		          heap_count(look, t->cached_objects, f[2]), t->arena);
	}
	free(order);
}

void heap_text_by(const struct heap_reading *r, const struct heap_look *look)
{
	const struct heap *h = r->heap;

	if (look->by && !strcmp(look->by, "map")) {
		map_table(h, look);
		return;
	}
	if (look->by && !strcmp(look->by, "thread")) {
		thread_table(h, look);
		return;
	}
	for (size_t i = 0; i < h->nallocators; i++) {
		const struct heap_allocator *a = &h->allocator[i];
		size_t most = look->by ? 0 : OVERVIEW_ROWS;
		if (!look->by && !a->in_use) continue;
		if (a->narenas && (look->by ? !strcmp(look->by, "arena") : a->narenas > 1)) arena_table(a, look, most);
		if (a->nclasses && (!look->by || !strcmp(look->by, "class"))) class_table(a, look, most);
	}
}
