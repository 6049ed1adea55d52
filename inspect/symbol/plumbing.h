/* plumbing.h: frames that allocate or wait on behalf of others: they are left out of what is said to people. */
#ifndef ALLOCTOP_PLUMBING_H
#define ALLOCTOP_PLUMBING_H

/* A library that is all allocator or C library, by its path. */
int plumbing_module(const char *path);
/* By name: the same inside a program that is linked statically, and a program's own wrappers (xmalloc, zmalloc, PyMem_RawMalloc): a guess. */
int plumbing_function(const char *function);

#endif
