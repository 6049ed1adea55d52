/* glance.h: the words of a process's locks, read once: who is in them now. For lists of processes; lockword.c does the same over a time,
 * and knows its error. */
#ifndef ALLOCTOP_LOCK_GLANCE_H
#define ALLOCTOP_LOCK_GLANCE_H

#include <stddef.h>
#include <sys/types.h>
#include "inspect/model/heap.h"

enum { GLANCE_LOCKS = 512 };    /* a system call's worth: more are not looked at */

/* How many threads are inside of n locks: holders, and those that wait where the word counts them (musl's do, glibc's and tcmalloc's do
   not). LOCK_UNKNOWN (lock.h) when one could not be read, or says what no lock says: threads is how many there are. */
double glance(pid_t pid, const struct heap_lock *lock, size_t n, int musl, unsigned threads);

#endif
