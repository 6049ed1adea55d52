/* inside.h: does any thread of a process that stands still execute, or may it come back to, a range of code? Conservative: each word on a
 * stack that could be an address in there counts as one. For inspect/attach. */
#ifndef ALLOCTOP_INSIDE_H
#define ALLOCTOP_INSIDE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct seize;
struct target;

struct inside_range { uint64_t start, end; };

/* The first thread found in any of n ranges, 0: none. `t` knows the maps as they are while the threads stand; `stack` are target_stacks of a
   moment before, NULL: they are looked for now. */
struct target_stack;
pid_t inside_find(const struct seize *s, const struct target *t, const struct target_stack *stack, size_t stacks, const struct inside_range *range, size_t n);

#endif
