/* symbols.h: finds a function in the loaded objects by reading their symbol tables: what dlsym does, but with no loader call, no
 * lock and no memory, so that it works in the very first allocation of a process and never allocates when it fails. */
#ifndef AGENT_SYMBOLS_H
#define AGENT_SYMBOLS_H

#include <stdint.h>

/* The definition of `name` in the first object after this agent in load order, as dlsym(RTLD_NEXT) would give it; NULL when there
   is none. Default versions only; no thread-local or indirect (IFUNC) functions. */
void *symbols_find_next(const char *name);

/* The same in any object but this one, in load order; objects opened later included. */
void *symbols_find_anywhere(const char *name);

/* Of a function that was found: where its code really is, if that is a detour; and how it is known to work (enum real_nature), if that
   need not be found out. */
uintptr_t symbols_code(void *fn);
uint8_t symbols_nature(const char *name);

#endif
