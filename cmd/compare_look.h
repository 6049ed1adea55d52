/* compare_look.h: what can be seen of a process only while its memory is there: how much that is, and which allocator serves it. */
#ifndef ALLOCTOP_COMPARE_LOOK_H
#define ALLOCTOP_COMPARE_LOOK_H

#include <stdint.h>
#include <sys/types.h>

#include "cmd/compare.h"

#define LOOK_UNKNOWN UINT64_MAX

struct look_memory { uint64_t now, peak; };     /* resident bytes, LOOK_UNKNOWN if not known */

/* Of one process. */
void look_memory(pid_t pid, struct look_memory *m);
/* Of a process whose first thread is about to exit and stands still: do the others exit as well? Waits some milliseconds for them to be
   told so. 0: they go on. */
int look_all_exit(pid_t pid);

struct look_allocator {
	enum compare_use use;
	int loaded;                     /* the library is in the process */
	char name[96], owner[64];       /* of what serves it, "" when none is known */
	char why[160];                  /* when it is not COMPARE_USED */
};

/* library: the file that was preloaded, which is expected to serve it; NULL: nothing is expected. */
void look_allocator(pid_t pid, const char *library, struct look_allocator *a);

#endif
