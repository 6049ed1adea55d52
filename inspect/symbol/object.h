/* object.h: one ELF object with its debug information: from an address of the file to frames. For inspect/symbol only. */
#ifndef ALLOCTOP_OBJECT_H
#define ALLOCTOP_OBJECT_H

#include <stddef.h>
#include <stdint.h>

struct find;
struct names;
struct object;
struct symbol_frame;
struct symbol_module;

/* Finds and opens the files; reads no symbols yet. NULL when there is none that can be used. */
struct object *object_open(const struct find *f, const struct symbol_module *m);
void object_close(struct object *o);
/* Equal only for the same files: what is found for an address may be kept under it. 0: not to be kept. */
uint64_t object_key(const struct object *o);
/* The file's own address of what stands at an offset in it. -1 when none is loaded from there. */
int object_address(const struct object *o, uint64_t offset, uint64_t *vaddr);
/* Frames of an address of the file, innermost first; strings kept in `names`. 0 when nothing is known. */
size_t object_find(struct object *o, uint64_t vaddr, struct symbol_frame *frames, size_t max, struct names *names);
/* Calls back for each function that a symbol names, at addresses of the file; names as they stand there. */
void object_each(struct object *o, void (*fn)(void *arg, const char *name, uint64_t start, uint64_t end), void *arg);

#endif
