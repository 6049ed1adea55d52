/* recall.h: which allocators a process has, kept from one look at it to the next: to find them costs as much as to read a heap of a few MiB,
 * and who looks each second would do nothing else. */
#ifndef ALLOCTOP_RECALL_H
#define ALLOCTOP_RECALL_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"

enum { RECALL_MAX = 32 };

/* Zeroed: nothing is known. For one thread, and one process at a time; nothing to be freed. */
struct recall {
	double until;                           /* what was found is believed so long; 0: nothing was */
	uint64_t process;                       /* of which process, with which code mapped */
	struct allocator_found found[RECALL_MAX]; size_t n;
};

/* As allocator_probe_all; from memory where it is the same process with the same objects loaded, for some seconds: an allocator that was
   there already may show only once it is used. Of a process that has just begun nothing is kept. r NULL: looks. */
size_t recall_probe(struct recall *r, const struct target *t, struct allocator_found *out, size_t max);
/* What was read at a place that was found made no sense: the next call looks again. Accepts NULL. */
void recall_forget(struct recall *r);

#endif
