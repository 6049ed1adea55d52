/* leaving.h: which threads may still be in the image, once nothing leads there any more. Nobody comes in: who was seen outside once stays outside.
 * A word on a stack that could be an address in there may be left over from a call that is long over, in room that a function has reserved and
 * not written. So of such a thread registers and stack are copied, and unwound when the process runs again: when the walk comes to the
 * thread's beginning by rules alone, and never through the image, it is outside. For undo.c. */
#ifndef ALLOCTOP_LEAVING_H
#define ALLOCTOP_LEAVING_H

#include <stddef.h>
#include <sys/types.h>

struct inside_range;
struct leaving;
struct seize;
struct target;
struct target_stack;

struct leaving *leaving_new(void);
void leaving_free(struct leaving *l);
/* While the process stands, and each time after the hooks are gone: a thread that is not known to be outside, 0: all are. As inside_find. */
pid_t leaving_look(struct leaving *l, const struct seize *s, const struct target *t, const struct target_stack *stack, size_t stacks, const struct inside_range *range, size_t n);
/* When it runs again. */
void leaving_unwind(struct leaving *l, const struct target *t);

#endif
