/* descriptor.h: a file's bytes as a struct mem (address = offset), for segments that are files or memfds. For use by agent.c. */
#ifndef ALLOCTOP_DESCRIPTOR_H
#define ALLOCTOP_DESCRIPTOR_H

#include <stdint.h>
#include <sys/stat.h>

struct mem;

/* Opens a regular file for reading, -1 with errno else. Nothing that is not a regular file is ever opened: the name may be a
   target's choice, and opening a device or a FIFO acts. */
int descriptor_open(const char *path);
/* Takes over fd; NULL, and fd closed, when it is no regular file. */
struct mem *descriptor_mem(int fd, struct stat *st);
/* As it is now; -1 with errno. */
int descriptor_stat(struct mem *m, struct stat *st);

#endif
