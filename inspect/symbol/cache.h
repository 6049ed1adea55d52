/* cache.h: what was found for the addresses of one file, kept on disk: $XDG_CACHE_HOME/alloctop/symbols (else ~/.cache/...). The
 * name of an entry holds the build ID and a key of the very files that were read. Nothing that another user could have written is
 * ever believed; a damaged entry counts as none. For inspect/symbol only. */
#ifndef ALLOCTOP_CACHE_H
#define ALLOCTOP_CACHE_H

#include <stddef.h>
#include <stdint.h>

struct cache;
struct names;
struct symbol_frame;

/* NULL when there is no place to keep it. */
struct cache *cache_open(const uint8_t *build_id, unsigned size, uint64_t key);
/* Frames of an address (at most max; strings kept in `names`), or -1 when they are not there. 0 means: nothing is known. */
int cache_find(struct cache *c, uint64_t vaddr, struct symbol_frame *frames, size_t max, struct names *names);
/* The frames, and their strings (kept, so that equal ones have one address), stay until cache_close. */
void cache_add(struct cache *c, uint64_t vaddr, const struct symbol_frame *frames, size_t n);
/* Writes when anything was added. Accepts NULL. */
void cache_close(struct cache *c, struct names *names);

#endif
