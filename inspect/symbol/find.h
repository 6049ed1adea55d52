/* find.h: which file holds a module, and which its debug information. For inspect/symbol only. Everything it returns has been
 * vetted and has the build ID asked for. */
#ifndef ALLOCTOP_FIND_H
#define ALLOCTOP_FIND_H

#include <sys/types.h>
#include "inspect/symbol/vet.h"

struct maps;
struct mem;
struct symbol_module;

struct find {
	pid_t pid;                      /* 0: no live process */
	int root;                       /* the target's root directory, or the sysroot */
	int host;                       /* our own: debug packages are installed there, not in a container */
	const struct maps *maps;        /* of the live process */
	struct mem *mem;                /* its memory; NULL when not permitted */
};

/* The file of a module: by its path; else what the kernel still has mapped; else as much as is loaded in memory. 0 or -1. */
int find_file(const struct find *f, const struct symbol_module *m, struct vetted *out);
/* Separate debug information for `file`: build ID directories, .gnu_debuglink, debuginfod. 0 or -1. */
int find_debug(const struct find *f, const struct vetted *file, struct vetted *out);
/* The supplementary file (dwz) that debug information refers to by name and build ID. 0 or -1. */
int find_supplement(const struct find *f, const char *debug_path, const char *name, const uint8_t *id, unsigned size,
                    struct vetted *out);

#endif
