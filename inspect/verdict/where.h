/* where.h: a call stack in words, for one line: "build_row() row.c:41 < serve() < main()". Frames of the allocator and of what wraps it are left out. */
#ifndef ALLOCTOP_WHERE_H
#define ALLOCTOP_WHERE_H

#include <stdint.h>

struct symbolizer;

/* Innermost first; `scanned` so many of the innermost were found by scanning, and are left out. returns: pc[0] is a return address too, else
   that of the instruction itself. Malloc'ed, fit for a terminal. */
char *where_words(struct symbolizer *s, const uint64_t *pc, unsigned depth, unsigned scanned, int returns);

#endif
