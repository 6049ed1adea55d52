/* socket.h: one exchange with an agent's helper thread. For use by agent.c, and by nobody else. Each exchange is a connection of its
 * own, so that no alloctop keeps another from being served. Whoever answers must be the target process itself, and a target that
 * does not answer soon is left alone: there are other ways. */
#ifndef ALLOCTOP_SOCKET_H
#define ALLOCTOP_SOCKET_H

#include <stdint.h>
#include "agent/wire.h"

struct proc;

enum { SOCKET_NONE = -1 };              /* no helper thread there, or no good answer from it */

/* A descriptor of the segment, or SOCKET_NONE. */
int socket_hello(const struct proc *p);
/* The answer's status (0 or a negated errno), or SOCKET_NONE. */
int socket_order(const struct proc *p, enum wire_verb verb, uint64_t value, int *status);

#endif
