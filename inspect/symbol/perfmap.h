/* perfmap.h: names of JIT code, from /tmp/perf-PID.map as node, the JVM and Python write it. For inspect/symbol only. */
#ifndef ALLOCTOP_PERFMAP_H
#define ALLOCTOP_PERFMAP_H

#include <stdint.h>
#include <sys/types.h>

struct perfmap;

/* `root`: descriptor of the target's root directory (stays the caller's); inner_pid: as the target sees itself;
   owner: the target's user. */
struct perfmap *perfmap_open(int root, pid_t inner_pid, uid_t owner);
void perfmap_close(struct perfmap *p);
/* The name of the code at addr, or NULL. The file grows while the target runs: it is read on when an address is not in it.
   Valid until the next call. */
const char *perfmap_find(struct perfmap *p, uint64_t addr);

#endif
