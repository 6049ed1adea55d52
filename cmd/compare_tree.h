/* compare_tree.h: a service is a process and those that it has started. */
#ifndef ALLOCTOP_COMPARE_TREE_H
#define ALLOCTOP_COMPARE_TREE_H

#include <stddef.h>
#include <sys/types.h>

enum { TREE_MAX = 512 };

/* The process itself first, then its descendants, at most TREE_MAX; how many. */
size_t tree_of(pid_t root, pid_t pid[TREE_MAX]);
/* Does any of them listen on a socket, TCP or Unix? */
int tree_listens(const pid_t *pid, size_t n);

#endif
