/* jumps.h: which functions get a jump at their entry, and by which trampolines: those that the program itself carries (static, or in a dynamic one),
 * and hidden ones of its libraries. All others are called through GOT entries (got.h). For inspect/attach. */
#ifndef ALLOCTOP_JUMPS_H
#define ALLOCTOP_JUMPS_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/attach/entry.h"
#include "inspect/attach/functions.h"

struct loadeds;
struct target;

struct jump {
	struct entry_plan plan;
	struct function function;       /* plan.trampoline is what the agent calls instead, function.address its origin */
	size_t name;                    /* index into the names */
};

struct jumps {
	struct jump *jump; size_t n;
	uint64_t room, room_size;       /* where the trampolines belong, whole pages; 0: there are no jumps */
	size_t refused;                 /* functions that were found and cannot be hooked */
	char trouble[300];              /* why the first of them cannot, or why functions that must be there were not found; "" */
};

/* Names as for functions_find ("": not this one); must outlive *j, as must l. Before and behind the room so many bytes are free too, now. hook: by name, how
   far behind the room's end they will be. */
void jumps_plan(struct jumps *j, const struct target *t, const struct loadeds *l, const char *const *names, const uint64_t *hook, size_t n, uint64_t before, uint64_t behind);
void jumps_free(struct jumps *j);
/* Is there a jump for this name? Then no GOT entry needs a hook of it: each call would be counted twice. */
int jumps_has(const struct jumps *j, size_t name);
/* What is to be written to the room: room_size bytes. hook: addresses by name, as they are; -1: not as they were planned. */
int jumps_code(const struct jumps *j, const uint64_t *hook, uint8_t *out);

#endif
