/* real.h: the functions that stand behind ours: the next allocator, and the few functions of the process that the agent needs. Found
 * by symbols.h, without the loader; malloc and free at the first call, the others when they are first used. */
#ifndef AGENT_REAL_H
#define AGENT_REAL_H

#include <stddef.h>
#include <stdint.h>
#include "cc.h"

extern void *(*real_malloc)(size_t) OURS;
extern void (*real_free)(void *) OURS;

/* How an entry does its work, found out by watching its first calls: musl's calloc calls the public malloc, glibc's does not. */
enum real_nature {
	REAL_UNKNOWN,
	REAL_LEAF,              /* does it itself: we count the call here */
	REAL_OUTER,             /* calls another function that we hook: counted there, only there */
	REAL_BLIND,             /* the same, in an object without unwind tables: the way in must be marked */
	REAL_VARIES,            /* as something known beforehand only: now this, now that, and each call is watched */
};

struct real {
	const char *name;
	void *fn;               /* NULL until found */
	uint8_t nature;
	uint8_t votes;          /* for the nature, in a row */
};

/* Finds r->fn; NULL when nobody else provides the name (now: a library may still be loaded). */
void *real_find(struct real *r);
/* Notes whether a call was nested; settles the nature after two equal votes. */
void real_vote(struct real *r, int nested);

/* Its nature differs from call to call: it stays unknown for good. */
void real_unsettle(struct real *r);

/* malloc_usable_size of the next allocator; `otherwise` where it has none. */
size_t real_usable_size(void *p, size_t otherwise);

#endif
