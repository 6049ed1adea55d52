/* compare_library.h: allocators as shared libraries on this machine, and whether a program can be given one. */
#ifndef ALLOCTOP_COMPARE_LIBRARY_H
#define ALLOCTOP_COMPARE_LIBRARY_H

#include <stddef.h>

/* The library of an allocator ("jemalloc", "tcmalloc", "mimalloc"; "glibc": libc itself, so that it comes before what else is loaded),
   64-bit, by the names that distributions give it, where the loader would find it. Malloc'ed path, NULL when there is none. */
char *library_find(const char *allocator);
/* The same for any file that the loader would find by this name. */
char *library_find_soname(const char *soname);
/* Is one of those allocators' libraries, by its name? */
int library_is_allocator(const char *path);

/* Can it be preloaded into this program (the file that exec takes)? 0: yes, as far as can be seen; -1: `why` says why not. */
int library_fits(const char *library, const char *program, char *why, size_t n);

#endif
