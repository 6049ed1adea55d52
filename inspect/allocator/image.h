/* image.h: code and constants of a loaded object, for the readers. They are read from the file that is mapped, not from the target: there,
 * each page that is looked at would become one more resident page of the target's. */
#ifndef ALLOCTOP_IMAGE_H
#define ALLOCTOP_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct map;
struct target;

struct image { const struct target *t; const struct map *map; int fd; };

/* A read-only mapping of a file. Never fails: what cannot be had from the file comes from the target's memory. */
void image_open(struct image *i, const struct target *t, const struct map *m);
void image_close(struct image *i);
/* As much as there is of n bytes at an address in the mapping: the count. */
size_t image_read(const struct image *i, uint64_t addr, void *buf, size_t n);
/* Where the program headers put a segment of that type, when an object begins here; *bias: address - ELF virtual address. 0: there is none. */
uint64_t image_segment(const struct image *i, uint32_t type, uint64_t *bias);

#endif
