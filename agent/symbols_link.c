/* symbols_link.c: see symbols.h. In a program that the agent is linked into, the linker knows the functions: what it would have called instead of
 * __wrap_NAME is __real_NAME. Those that every C library has are asked for in a way that fetches them out of an archive, since nobody else
 * may do so; the others are there or not. */
#include "symbols.h"
#include "cc.h"
#include "sys.h"

#define REAL(name) extern void real_##name(void) __asm__("__real_" #name);
#define MAYBE(name) extern void real_##name(void) __asm__("__real_" #name) __attribute__((weak));
#define PLAIN(name) extern void real_##name(void) __asm__(#name);
#define ALLOC(name, params, args, size, fallback) MAYBE(name)
#define THROWS(name, params, args, size, fallback) MAYBE(name)
#define REALLOC(name, params, args, size, fallback) MAYBE(name)
#define RETHROWS REALLOC
#define FREES(name, params, args, fallback) MAYBE(name)
#define POSIX(name) MAYBE(name)
#include "entries.h"
#include "symbols_link.h"
#undef REAL
#undef MAYBE
#undef PLAIN
#undef ALLOC
#undef THROWS
#undef REALLOC
#undef RETHROWS
#undef FREES
#undef POSIX

#define REAL(name) { #name, real_##name },
#define MAYBE(name) REAL(name)
#define PLAIN(name) REAL(name)
#define ALLOC(name, params, args, size, fallback) REAL(name)
#define THROWS(name, params, args, size, fallback) REAL(name)
#define REALLOC(name, params, args, size, fallback) REAL(name)
#define RETHROWS REALLOC
#define FREES(name, params, args, fallback) REAL(name)
#define POSIX(name) REAL(name)
static const struct { const char *name; void (*function)(void); } table[] = {
#include "entries.h"
#include "symbols_link.h"
};

void *symbols_find_next(const char *name)
{
	for (unsigned i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].name, name)) return (void *)table[i].function;
	return NULL;
}

void *symbols_find_anywhere(const char *name)
{
	(void)name;
	return NULL;
}

uintptr_t symbols_code(void *fn) { return (uintptr_t)fn; }
uint8_t symbols_nature(const char *name) { (void)name; return 0; }
