/* describe.h: what the image must be told of the process it is put into. For inspect/attach. */
#ifndef ALLOCTOP_DESCRIBE_H
#define ALLOCTOP_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>
#include "agent/attach.h"

struct loadeds;
struct target;

/* A row for each loaded object, at most ATTACH_MODULES_MAX - 1, and room for one more; *lost: how many found none. free() it. */
struct attach_module *describe_modules(const struct target *t, const struct loadeds *l, size_t *n, uint32_t *lost);
/* Where the main thread's stack begins; 0 when /proc does not say. */
uint64_t describe_stack_top(const struct target *t);
/* The vDSO's clock_gettime; 0: none, or other clocks than ours. */
uint64_t describe_clock(const struct target *t, const struct loadeds *l);

#endif
