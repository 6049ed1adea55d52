/* nodes.h: on which NUMA nodes the threads of a process run. For use by collect.c. */
#ifndef ALLOCTOP_NODES_H
#define ALLOCTOP_NODES_H

#include <stdint.h>
#include <sys/types.h>

/* Where each thread ran last: node n as bit n, of the first 64. 0 where the machine has one node, or nothing could be seen. */
uint64_t nodes_of_threads(pid_t pid);
/* The processor in the text of /proc/PID/task/TID/stat; -1. The thread may have called itself anything. */
int nodes_processor(const char *stat);
/* Is it in a list such as "0-3,8"? */
int nodes_listed(const char *list, int processor);

#endif
