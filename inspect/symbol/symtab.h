/* symtab.h: the function symbols of one ELF file, from .symtab, .dynsym and .gnu_debugdata. For inspect/symbol only. */
#ifndef ALLOCTOP_SYMTAB_H
#define ALLOCTOP_SYMTAB_H

#include <stddef.h>
#include <stdint.h>
#include <elfutils/libdwfl.h>

struct symtab;

/* `bias`: what libdwfl added to the file's addresses. The names are the module's. */
struct symtab *symtab_open(Dwfl_Module *mod, uint64_t bias);
void symtab_close(struct symtab *t);
/* Name of the symbol that holds an address of the file, or NULL. Not terminated at a version ("@"): *n bytes count. */
const char *symtab_find(const struct symtab *t, uint64_t vaddr, size_t *n);
/* Calls back for each symbol: several may name one place. end is past the last byte. */
void symtab_each(const struct symtab *t, void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg);

#endif
