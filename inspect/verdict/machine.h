/* machine.h: what surrounds a process: processors, limits, huge pages, nodes. For use by collect.c. */
#ifndef ALLOCTOP_MACHINE_H
#define ALLOCTOP_MACHINE_H

#include <sys/types.h>

struct facts;

void machine_fill(struct facts *f, pid_t pid);

#endif
