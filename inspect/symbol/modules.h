/* modules.h: which module is where: the recorded ones, and what a live process has mapped besides. For inspect/symbol only. */
#ifndef ALLOCTOP_MODULES_H
#define ALLOCTOP_MODULES_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/symbol/span.h"
#include "inspect/symbol/symbol.h"

struct maps;
struct mem;
struct object;
struct cache;

struct module {
	struct symbol_module m;         /* path owned here */
	struct object *object;          /* NULL: none, or not looked for yet */
	struct cache *cache;
	uint8_t looked;                 /* the files were looked for */
	uint8_t live;                   /* from the maps, not from the recording */
};

struct modules { struct module **module; size_t n, cap; struct spans spans; };

void modules_add(struct modules *ms, const struct symbol_module *m, int live);
/* Adds what is mapped executable and not covered yet: files, the vdso, and code without a file as "[jit]". mem may be NULL. */
void modules_add_maps(struct modules *ms, const struct maps *maps, struct mem *mem);
/* The one that holds addr, the last added one when several do. NULL. Stays valid until modules_free. */
struct module *modules_find(const struct modules *ms, uint64_t addr);
/* Frees all but the objects and caches, which the user of `looked` opened. */
void modules_free(struct modules *ms);

#endif
