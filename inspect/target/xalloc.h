/* xalloc.h: memory for the command's own bookkeeping. Running out of it ends the command with status 1 and one line: there is
 * nothing sensible left to do. Never for sizes that a target names: bound those first. */
#ifndef ALLOCTOP_XALLOC_H
#define ALLOCTOP_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t n);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
