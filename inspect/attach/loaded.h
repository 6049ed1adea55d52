/* loaded.h: the ELF objects of a process, as they stand in its memory: programs, libraries, the loader, the vDSO; not files that are
 * merely mapped. In the order in which symbols are looked up, where the process has a loader that tells. For inspect/attach. */
#ifndef ALLOCTOP_LOADED_H
#define ALLOCTOP_LOADED_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct target;

enum { LOADED_PHDRS = 64 };

struct loaded {
	const char *path;               /* of the target's maps; "[vdso]" */
	uint64_t start, end;            /* first to last loadable segment */
	uint64_t bias;                  /* address = ELF virtual address + bias */
	uint64_t dynamic, dynamic_size; /* 0: none */
	uint8_t is_main, is_vdso;
	uint8_t in_scope;               /* the loader knows it */
	unsigned nphdr;
	Elf64_Phdr phdr[LOADED_PHDRS];
};

struct loadeds {
	struct loaded *object; size_t n;
	int ordered;                    /* by the loader's word; else by address, the program first */
};

/* As t->maps have it. Never fails: what makes no sense is no object. */
void loaded_read(struct loadeds *l, const struct target *t);
void loaded_free(struct loadeds *l);
/* The object whose segments hold addr, NULL if none. */
const struct loaded *loaded_find(const struct loadeds *l, uint64_t addr);
/* Is addr in one of its executable segments? */
int loaded_executable(const struct loaded *o, uint64_t addr);

#endif
