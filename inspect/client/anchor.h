/* anchor.h: what a process's address space says of an agent in it. For use by agent.c, and by nobody else. */
#ifndef ALLOCTOP_ANCHOR_H
#define ALLOCTOP_ANCHOR_H

#include <stdint.h>
#include <sys/types.h>

struct maps;
struct mem;

struct anchor {
	int loaded;                     /* the agent's file, or a segment, is mapped, or it was attached (by the maps alone: may have been) */
	int attached;                   /* it was put there by alloctop attach (by the maps alone: may have been) */
	int found;                      /* the anchor has been read: the rest is its word */
	pid_t pid;                      /* whose segment it is, as that process sees itself */
	uint32_t version;
	uint32_t idle;                  /* enum wire_idle, when there is no segment */
	uint64_t segment, size;         /* 0: none yet; else checked to lie in one readable mapping */
};

/* mem NULL: the maps alone. */
void anchor_find(struct anchor *a, const struct maps *maps, struct mem *mem);
/* Where the memfd or file with this inode is mapped from its first byte; 0: nowhere. */
uint64_t anchor_mapping(const struct maps *maps, uint64_t inode);

#endif
