/* exact.h: the opt-in count of every call by thread and size class (ALLOCTOP_EXACT=1). Costs a call of malloc_usable_size each way. */
#ifndef AGENT_EXACT_H
#define AGENT_EXACT_H

#include <stddef.h>

struct thread;

void exact_allocated(struct thread *t, void *p, size_t n);
/* `usable` is what malloc_usable_size said before the block was freed. */
void exact_freed(struct thread *t, size_t usable);

#endif
