/* starts.h: where functions begin in code that may be stripped: the targets of direct calls tell, functions that are a single jump to
 * another, and the unwind tables where there are any. For use by inspect/perf only. */
#ifndef ALLOCTOP_STARTS_H
#define ALLOCTOP_STARTS_H

#include <stddef.h>
#include <stdint.h>

struct map;
struct target;

struct starts { uint64_t begin, end; uint64_t *addr; size_t n; };       /* of one mapping; ascending, some more than once */

/* Never fails: what cannot be read, or is too large, has no starts. */
void starts_read(struct starts *s, const struct target *t, const struct map *m);
void starts_free(struct starts *s);
/* The one that follows addr; the mapping's end when there is none. */
uint64_t starts_next(const struct starts *s, uint64_t addr);
/* The last one up to addr, 0 when there is none. */
uint64_t starts_before(const struct starts *s, uint64_t addr);

/* Calls back for each place in the mapping whose code names an address in [from, to). */
void starts_users(const struct target *t, const struct map *m, uint64_t from, uint64_t to, void (*fn)(void *arg, uint64_t at), void *arg);

/* Calls back for each function that is nothing but a jump to another one. */
void starts_aliases(const struct target *t, const struct map *m, void (*fn)(void *arg, uint64_t at, uint64_t end, uint64_t to), void *arg);

#endif
