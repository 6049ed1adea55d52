/* litter.h: what alloctops that were killed have left in a process beside what its home tells of: their code in the rooms (remote.h), and memory that
 * it had mapped for them, and that nothing leads to yet. For inspect/attach. */
#ifndef ALLOCTOP_LITTER_H
#define ALLOCTOP_LITTER_H

#include <stddef.h>
#include <stdint.h>

struct maps;
struct session;
struct target;

/* Is there any of that? */
int litter_is(const struct target *t, const uint64_t *room, size_t rooms);

/* Clears it away, but what a thread is still in. `now`: the maps as they are while it stands. Before anything new is mapped: the kernel would make one
   mapping of both. */
void litter_clear(struct session *s, const struct maps *now);

#endif
