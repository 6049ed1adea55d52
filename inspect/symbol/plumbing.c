/* plumbing.c: see plumbing.h. */
#include "inspect/symbol/plumbing.h"

#include <stddef.h>
#include <string.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Objects that allocate on behalf of others. A version or a suffix follows: "libc.so.6", "libc-2.31.so", "libjemalloc_prof.so". */
int plumbing_module(const char *path)
{
	static const char *const prefix[] = {
		"liballoctop", "libc.", "libc-", "ld-linux", "ld-musl", "ld-2", "libstdc++", "libc++", "libgcc_s", "libjemalloc",
		"libtcmalloc", "libmimalloc", "libpthread",
	};
	const char *name = base_name(path);

	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i]))) return 1;
	return 0;
}

/* The same inside a program: linked statically, or its own wrapper (xmalloc, zmalloc, g_malloc0, PyMem_RawMalloc). */
int plumbing_function(const char *function)
{
	static const char *const part[] = {
		"malloc", "calloc", "realloc", "zalloc", "memalign", "aligned_alloc", "strdup", "strndup", "memdup", "asprintf", "mprintf",
	};
	static const char *const prefix[] = {
		"operator new", "std::allocator", "std::__new_allocator", "std::pmr::", "__gnu_cxx::", "std::__allocate_guarded",
		"alloc::alloc::", "alloc::raw_vec::", "<alloc::raw_vec::", "__rust_alloc", "__rdl_", "__rg_", "<alloc::alloc::Global",
		"hashbrown::raw::",
	};
	/* free is in too many names that do more */
	static const char *const whole[] = {
		"zfree", "xfree", "g_free", "CRYPTO_free", "CRYPTO_clear_free", "sqlite3_free", "sqlite3DbFree", "sqlite3DbFreeNN", "sqlite3MemFree", "PyMem_Free",
		"PyMem_RawFree", "PyObject_Free",
	};
	char lower[256];
	size_t n = 0;

	for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++)
		if (!strncmp(function, prefix[i], strlen(prefix[i]))) return 1;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (!strcmp(function, whole[i])) return 1;
	/* a template's arguments say nothing of the function */
	for (; function[n] && function[n] != '<' && function[n] != '(' && n < sizeof lower - 1; n++)
		lower[n] = function[n] >= 'A' && function[n] <= 'Z' ? (char)(function[n] + 32) : function[n];
	lower[n] = 0;
	for (size_t i = 0; i < sizeof part / sizeof *part; i++)
		if (strstr(lower, part[i])) return 1;
	return strstr(function, "allocator_traits<") || strstr(function, "::_M_allocate(") || strstr(function, "::_M_realloc_insert");
}
