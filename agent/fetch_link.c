/* fetch_link.c: what an agent that is linked into a program needs of the C library, whatever the program itself calls. References to wrapped
 * functions that the program may make are the agent's now, and a weak one fetches nothing out of an archive; the fallbacks of the rest end in
 * these. */
#include "cc.h"

#define FETCH(name) extern void fetch_##name(void) __asm__(#name);
FETCH(__real_calloc)
FETCH(__real_realloc)
FETCH(__real_memalign)
FETCH(__real_aligned_alloc)
FETCH(__real_posix_memalign)
FETCH(dl_iterate_phdr)
#undef FETCH

#define FETCH(name) fetch_##name,
static void (*const fetched[])(void) __attribute__((used)) = {
	FETCH(__real_calloc) FETCH(__real_realloc) FETCH(__real_memalign) FETCH(__real_aligned_alloc) FETCH(__real_posix_memalign) FETCH(dl_iterate_phdr)
};
