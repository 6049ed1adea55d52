/* link.h: the agent's attachable image, a shared object without a loader, linked by us for any address. For inspect/attach. */
#ifndef ALLOCTOP_LINK_H
#define ALLOCTOP_LINK_H

#include <stddef.h>
#include <stdint.h>
#include "agent/attach.h"

struct err;

enum { LINK_SEGMENTS = 8, LINK_RELOCATIONS = 4096 };

struct link_segment { uint64_t start, end; int prot; };         /* offsets in the image, whole pages; PROT_… */

struct link {
	char *bytes; size_t size;       /* as it will stand in memory, whole pages */
	size_t stored;                  /* bytes beyond are zeros */
	struct link_segment segment[LINK_SEGMENTS]; unsigned nsegments;
	uint64_t base;                  /* it is linked for */
	uint64_t block;                 /* offset of struct attach_block */
	uint64_t hdr, hdr_end;          /* offsets of .eh_frame_hdr: the agent unwinds its own frames too */
	uint64_t relocation[LINK_RELOCATIONS]; unsigned nrelocations;   /* offsets of words that hold an address */
};

/* From a file. Linked for address 0. -1 with *e when it is not an image that this alloctop knows. */
int link_open(struct link *k, const char *path, struct err *e);
/* For another address. */
void link_move(struct link *k, uint64_t base);
struct attach_block *link_block(const struct link *k);
/* Itself, as a loaded object at its address: it unwinds its own frames too. */
struct attach_module link_module(const struct link *k);
void link_close(struct link *k);

#endif
