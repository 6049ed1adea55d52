/* pointers.h: has a process that stands still kept an address? For inspect/attach. */
#ifndef ALLOCTOP_POINTERS_H
#define ALLOCTOP_POINTERS_H

#include <stdint.h>

struct seize;
struct target;

/* Looks at the registers of all threads and at each word of its writable memory. 0: none in [start, end). 1: one,
   or it has more than `most` bytes of such memory, and was not looked at. */
int pointers_find(const struct seize *s, const struct target *t, uint64_t start, uint64_t end, uint64_t most);

#endif
