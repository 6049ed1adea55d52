/* glibc_free.c: see glibc_free.h. */
#include "inspect/verdict/glibc_free.h"

#include <math.h>

#include "inspect/verdict/facts.h"

static const double page = 4096;

int glibc_free_of(const struct facts *f, const struct heap_allocator *a, struct glibc_free *out)
{
	double all = 0, main = 0, stranded = 0, rest = 0;

	*out = (struct glibc_free){ .top = NAN };
	if (!f->heap_group.known || a->free_bytes == HEAP_UNKNOWN || !a->narenas) return -1;
	out->top = facts_steady(f, "glibc", "free, trimmable");
	out->inside = facts_steady(f, "glibc", "free, between");
	/* where not every chunk was seen: one begins anywhere in a page, and has on average a page less of whole ones than it is long */
	for (size_t i = 0; i < a->nclasses; i++) rest += (double)a->class[i].free * fmin((double)a->class[i].size + 8, page);
	if (!isnan(facts_fact(a, "free_pieces"))) rest = facts_fact(a, "free_pieces");
	out->rest = fmin(rest, out->inside);
	out->pages = out->inside - out->rest;
	for (size_t i = 0; i < a->narenas; i++) {
		const struct heap_arena *r = &a->arena[i];
		if (r->free == HEAP_UNKNOWN) return -1;
		all += (double)r->free;
		/* readers name the main one first */
		if (!i) main = (double)r->free;
		else if (!r->threads) stranded += (double)r->free, out->nstranded++;
	}
	double resident = out->top + out->inside, part = all > 0 ? fmin(resident / all, 1) : 0;
	out->main_share = all > 0 ? main / all : 1;
	out->stranded = stranded * part;
	return 0;
}
