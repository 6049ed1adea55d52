/* fde.h: where functions begin by the unwind tables of a loaded object: the sorted index of its .eh_frame_hdr (LSB 5.0, 10.6.2). For use by
 * inspect/perf only. */
#ifndef ALLOCTOP_FDE_H
#define ALLOCTOP_FDE_H

#include <stdint.h>

struct map;
struct target;

/* Calls back for each, ascending, of the object that this mapping belongs to. An object without the index, or with one of another form, has none. */
void fde_starts(const struct target *t, const struct map *m, void (*fn)(void *arg, uint64_t start), void *arg);

#endif
