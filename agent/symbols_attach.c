/* symbols_attach.c: see symbols.h. What may be called was found from outside, and stands in the block's table. */
#include "symbols.h"
#include "attach_block.h"
#include "real.h"
#include "sys.h"

_Static_assert((int)REAL_UNKNOWN == ATTACH_LEARN && (int)REAL_LEAF == ATTACH_LEAF && (int)REAL_OUTER == ATTACH_OUTER, "symbols_nature");

static const struct attach_entry *row(const char *name)
{
	for (const struct attach_entry *e = alloctop_attach.entry; e < alloctop_attach.entry + ATTACH_ENTRIES_MAX && e->name[0]; e++)
		if (!strcmp(e->name, name)) return e;
	return NULL;
}

void *symbols_find_next(const char *name)
{
	const struct attach_entry *e = row(name);
	if (e) return (void *)(uintptr_t)e->real;
	return !strcmp(name, "clock_gettime") ? (void *)(uintptr_t)alloctop_attach.clock : NULL;
}

void *symbols_find_anywhere(const char *name)
{
	(void)name;
	return NULL;
}

uintptr_t symbols_code(void *fn)
{
	for (const struct attach_entry *e = alloctop_attach.entry; e < alloctop_attach.entry + ATTACH_ENTRIES_MAX && e->name[0]; e++)
		if (e->real == (uintptr_t)fn) return e->origin ? e->origin : e->real;
	return (uintptr_t)fn;
}

uint8_t symbols_nature(const char *name)
{
	const struct attach_entry *e = row(name);
	switch (e ? e->nature : ATTACH_LEARN) {
	case ATTACH_LEAF: return REAL_LEAF;
	case ATTACH_OUTER: return REAL_OUTER;
	case ATTACH_VARIES: return REAL_VARIES;
	default: return REAL_UNKNOWN;
	}
}
