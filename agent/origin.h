/* origin.h: what a segment is begun with: memory, a date, and the means to tell a forked child. origin.c asks the kernel for them;
 * origin_attach.c has been given them from outside. */
#ifndef AGENT_ORIGIN_H
#define AGENT_ORIGIN_H

#include <stdint.h>
#include "wire.h"

struct origin_memory {
	void *at, *private;             /* zeroed, whole pages */
	uint32_t flags;                 /* enum wire_flag */
	int fd;                         /* of what is mapped at `at`; -1: none */
	uint64_t inode;
};

/* Memory for a segment of `size` bytes, and `private_size` bytes beside it. Asked for again with less when it fails; `scale`: how often it has
   failed, `last`: it is the last time. 0 or -1. Sends no signal, whatever the limits (RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_NOFILE) are. */
int origin_memory(struct origin_memory *m, uint64_t size, uint64_t private_size, unsigned scale, int last);
/* Under a limit of memory we leave seven eighths of it to the program: may `bytes` be reserved? (Not in an attached agent.) */
int origin_affordable(uint64_t bytes, uint64_t limit);
/* Writes the process's number and the moment into the header. forked: of a child that has just been born. */
void origin_stamp(struct wire_header *h, int forked);
/* A word that is not 0, on a page that the kernel wipes in children; NULL where there is none. */
uint32_t *origin_mark(void);
/* Is a seccomp filter known to have been in force before us? */
int origin_sandboxed(void);
/* Are we to end: has what we were given been asked back? */
int origin_withdrawn(void);

#endif
