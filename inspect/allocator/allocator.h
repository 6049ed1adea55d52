/* allocator.h: how one kind of allocator is recognised and read from outside. One file per kind with one const struct allocator, and a
 * row in allocators.c. Offsets and heuristics come from the allocators' sources; each file names source and version of each.
 *
 * Everything read is hostile: a reader bounds its steps by what the address space could hold, checks cycles and addresses, uses the
 * allocator's own invariants, and says complete, torn or unsupported. It reads in large pieces (a system call per record is too slow),
 * holds at most a few MiB, and never looks at the process in any other way than through struct target. */
#ifndef ALLOCTOP_ALLOCATOR_H
#define ALLOCTOP_ALLOCATOR_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/model/heap.h"
#include "inspect/target/target.h"

struct err;

/* One allocator found in a process: where its state is and which layout it has. `layout` and `extra` belong to its reader. */
struct allocator_found {
	const struct allocator *kind;
	uint64_t state;
	unsigned layout;
	uint64_t extra[6];
	char version[32], evidence[200], owner[64];
};

/* What a walk tells of the address space, for the ledger: every byte an allocator manages, told once. Ranges may come in any order and
   need no alignment. */
enum allocator_range { ALLOCATOR_LIVE, ALLOCATOR_FREE, ALLOCATOR_TRIMMABLE /* free, at an end that the allocator could return */, ALLOCATOR_CACHED, ALLOCATOR_METADATA,
	ALLOCATOR_MANAGED /* the allocator's, what it is used for is known in sums only */ };
struct allocator_sink {
	void (*range)(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what);
};

enum { ALLOCATOR_FULL = 1 /* walk every block where quick counters do not tell */, ALLOCATOR_REQUESTED = 2 /* read requested sizes even if that costs a walk */ };

struct allocator {
	const char *name;
	/* Looks for its state. Fills up to max findings; returns how many. Cheap enough for a process list (milliseconds). */
	size_t (*probe)(const struct target *t, struct allocator_found *out, size_t max);
	/* Reads one finding into *a (zeroed, name/version/evidence/owner already set). Ranges go to the sink (may be NULL). One attempt: the
	   caller retries when it is torn. 0 with a->status set; -1 with *e only when the target is gone or may not be read. */
	int (*read)(const struct target *t, const struct allocator_found *f, unsigned flags, struct heap_allocator *a, struct allocator_sink *sink, struct err *e);
	/* Only the locks (a->lock): cheap. */
	void (*locks)(const struct target *t, const struct allocator_found *f, struct heap_allocator *a);
};

extern const struct allocator *const allocators[];      /* ends with NULL */

/* All findings in a process, each kind asked. Returns how many (at most max). */
size_t allocator_probe_all(const struct target *t, struct allocator_found *out, size_t max);

#endif
