/* elf.h: the loader's public structures, glibc's and musl's alike, without the C library's headers. */
#ifndef AGENT_ELF_H
#define AGENT_ELF_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include "cc.h"

_Static_assert(sizeof(void *) == 8, "the Elf64 types below");

/* What dl_iterate_phdr tells, as far as every libc tells it; the counts (of all objects ever loaded, unloaded) where `size` covers them. */
struct elf_object { uintptr_t bias; const char *name; const Elf64_Phdr *phdr; uint16_t phnum; uint64_t adds, subs; };
extern WEAK int dl_iterate_phdr(int (*)(const struct elf_object *, size_t, void *), void *);

/* The list kept for debuggers, in load order. */
struct elf_link { uintptr_t bias; const char *name; const Elf64_Dyn *dynamic; struct elf_link *next, *prev; };
struct elf_debug { int version; struct elf_link *first; };

#endif
