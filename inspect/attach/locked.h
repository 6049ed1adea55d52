/* locked.h: a process that locks its memory (memcached -k, what must not page) may do so with all that it maps from now on: then tables that are
 * reserved large and used little would be resident at once. That it does stands nowhere in /proc; what is locked already does. */
#ifndef ALLOCTOP_LOCKED_H
#define ALLOCTOP_LOCKED_H

#include <stdint.h>
#include <sys/types.h>

/* Bytes that are locked now; 0 also when /proc does not say. */
uint64_t locked_bytes(pid_t pid);
/* How many it may lock in all; UINT64_MAX: no limit for it. */
uint64_t locked_limit(pid_t pid);

#endif
