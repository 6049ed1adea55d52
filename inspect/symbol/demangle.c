/* demangle.c: readable names, by libiberty. See names.h. */
#include <string.h>

#include <libiberty/demangle.h>

#include "inspect/symbol/names.h"

enum { MANGLED_MAX = 8 << 10 };         /* longer ones stay as they are: their expansion is not bounded by their length */

char *demangle(const char *s)
{
	if (strnlen(s, MANGLED_MAX) == MANGLED_MAX) return NULL;
	if (s[0] == '_' && s[1] == 'R') return rust_demangle(s, DMGL_NO_OPTS);
	/* the Mach-O style leading underscore never occurs in ELF: a name begins with _Z or is not mangled */
	if (s[0] != '_' || s[1] != 'Z') return NULL;
	/* legacy Rust is well-formed C++ with a hash at its end: ask for it first */
	char *rust = strstr(s, "17h") ? rust_demangle(s, DMGL_NO_OPTS) : NULL;
	return rust ? rust : cplus_demangle_v3(s, DMGL_ANSI);
}
