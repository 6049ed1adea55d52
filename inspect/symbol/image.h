/* image.h: a loaded ELF object, read out of a target's memory. For inspect/symbol only. */
#ifndef ALLOCTOP_IMAGE_H
#define ALLOCTOP_IMAGE_H

#include <stdint.h>

struct mem;
struct symbol_module;

/* Reads the program headers and the notes of the object whose first byte is mapped at m->start: fills bias and build ID.
   -1 when there is no such object. */
int image_head(struct mem *mem, struct symbol_module *m);
/* The object as a file: descriptor of a memfd, -1 when it cannot be done. What is not loaded (sections, debug information) is not
   in it, the dynamic symbols are; a vdso is whole. */
int image_fd(struct mem *mem, const struct symbol_module *m);

#endif
