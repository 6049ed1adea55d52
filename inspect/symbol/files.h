/* files.h: the files behind the code that a live process has mapped, for who reads them with a library of ELF: found as the process sees them,
 * vetted, open. */
#ifndef ALLOCTOP_FILES_H
#define ALLOCTOP_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct maps;
struct mem;

/* Descriptors are the list's own: duplicate what outlives it. */
struct module_file {
	const char *path;               /* as mapped */
	uint64_t bias;                  /* address - ELF virtual address */
	int fd;
	int debug;                      /* separate debug information, -1: none */
};

struct module_files { struct module_file *file; size_t n; struct files_found *found; };

/* Modules without a file that can be used are left out, and so are pieces of a file that is mapped as a whole elsewhere (V8 maps its built-in code
   twice): a library that knows whole files only would take both for a mistake. mem may be NULL. */
void files_open(struct module_files *f, pid_t pid, const struct maps *maps, struct mem *mem);
void files_close(struct module_files *f);

#endif
