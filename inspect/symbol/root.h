/* root.h: opens files as a target sees them, without being led astray by it: symbolic links stay inside its root directory, and
 * nothing but a regular file is ever opened for reading (a FIFO would block, a device might act). */
#ifndef ALLOCTOP_ROOT_H
#define ALLOCTOP_ROOT_H

/* Descriptor of a directory that acts as root. -1 when it cannot be opened. */
int root_open(const char *path);
/* A regular file at `path` below root, for reading. -1 when there is none. */
int root_file(int root, const char *path);
/* A regular file behind a link of /proc (exe, map_files) for reading, wherever it leads: the kernel says what was mapped. */
int root_magic(const char *path);

#endif
