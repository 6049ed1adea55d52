/* span.h: address ranges that may overlap and nest, and the question which of them hold an address. For inspect/symbol only. */
#ifndef ALLOCTOP_SPAN_H
#define ALLOCTOP_SPAN_H

#include <stddef.h>
#include <stdint.h>

struct span { uint64_t start, end; uint32_t id; };

struct spans {
	struct span *span;
	uint64_t *reach;        /* reach[i]: the highest end among span[0..i]; where a search may stop */
	size_t n, cap;
};

/* Empty ranges are dropped. Call spans_sort after the last one, and before the first spans_find. */
void spans_add(struct spans *s, uint64_t start, uint64_t end, uint32_t id);
void spans_sort(struct spans *s);
/* The spans that hold addr, one per call, the one that starts last first (of equals: the highest id). `after` is the one found
   before, NULL to begin. NULL at the end, or after a bounded search. */
const struct span *spans_find(const struct spans *s, uint64_t addr, const struct span *after);
void spans_free(struct spans *s);

#endif
