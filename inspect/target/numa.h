/* numa.h: on which nodes a process's resident memory is. */
#ifndef ALLOCTOP_NUMA_H
#define ALLOCTOP_NUMA_H

#include <stdint.h>
#include <sys/types.h>

enum { NUMA_NODES = 64 };

struct numa { unsigned n; /* nodes that have any: up to the highest */ uint64_t anonymous[NUMA_NODES], file[NUMA_NODES]; };

/* From /proc/PID/numa_maps. -1 where the kernel has none, or the process has gone. */
int numa_read(struct numa *out, pid_t pid);
/* One line of it, added. */
void numa_parse_line(struct numa *out, const char *line);

#endif
