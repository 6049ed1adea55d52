/* pointers.h: has a process that stands still kept an address? For inspect/attach. */
#ifndef ALLOCTOP_POINTERS_H
#define ALLOCTOP_POINTERS_H

#include <stdint.h>

struct seize;
struct target;

struct pointers_range { uint64_t start, end; };

/* Is there more than `most` bytes of writable memory to look at, or as much work in many small pieces, or a huge lot of addresses? Then it need not
   be stopped for that. Memory in `but` is not the process's own. */
int pointers_many(const struct target *t, const struct pointers_range *but, uint64_t most);

/* Looks at the registers of all threads and at each word of its writable memory. 0: none in `range`. 1: one, or it is too much, and was not looked at. */
int pointers_find(const struct seize *s, const struct target *t, const struct pointers_range *range, const struct pointers_range *but, uint64_t most);

#endif
