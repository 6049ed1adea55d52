/* huge.h: whether an address of a process lies in a huge page: asked of the kernel, which tells since 6.7 (the PAGEMAP_SCAN ioctl). For use
 * by inspect/perf only. */
#ifndef ALLOCTOP_HUGE_H
#define ALLOCTOP_HUGE_H

#include <stdint.h>
#include <sys/types.h>

/* A descriptor to close; -1: this kernel does not tell, or not us. */
int huge_open(pid_t pid);
int huge_at(int fd, uint64_t addr);
/* Bytes of one. */
uint64_t huge_size(void);

#endif
