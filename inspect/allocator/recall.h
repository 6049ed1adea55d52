/* recall.h: what is kept of a process from one look at it to the next, for who looks each second: which allocators it has, which costs as much
 * to find as to read a heap of a few MiB, and the kernel's sums over its mappings, for which it goes through every page. */
#ifndef ALLOCTOP_RECALL_H
#define ALLOCTOP_RECALL_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/allocator/allocator.h"
#include "inspect/target/smaps.h"

enum { RECALL_MAX = 32 };

/* Zeroed: nothing is known. For one thread, and one process at a time; nothing to be freed. */
struct recall {
	double until;                           /* what was found is believed so long; 0: nothing was */
	uint64_t process;                       /* of which process, with which code mapped */
	struct allocator_found found[RECALL_MAX]; size_t n;
	struct smaps sums; double sums_until;
};

/* As allocator_probe_all; from memory where it is the same process with the same objects loaded, for some seconds: an allocator that was
   there already may show only once it is used. Of a process that has just begun nothing is kept. r NULL: looks. */
size_t recall_probe(struct recall *r, const struct target *t, struct allocator_found *out, size_t max);
/* As smaps_read; from memory when that is a few seconds old at most. */
int recall_smaps(struct recall *r, const struct target *t, struct smaps *s, struct err *e);
/* What was read at a place that was found made no sense: the next call looks again. Accepts NULL. */
void recall_forget(struct recall *r);

#endif
