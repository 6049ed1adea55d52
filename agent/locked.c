/* locked.c: a program that locks its memory (memcached -k, what must not page) would hold all that the agent has reserved and not used, or
 * be refused for it, as the kernel counts every mapping. So the tables are cut before it does. Passes mlockall on. */
#include <sys/mman.h>
#include "cc.h"
#include "hook.h"
#include "life.h"
#include "notice.h"
#include "real.h"
#include "segment.h"

EXPORT int HOOK(mlockall)(int flags);
EXPORT int HOOK(mlockall)(int flags)
{
	static struct real real = { .name = "mlockall" };
	int (*fn)(int) = (int (*)(int))real_find(&real);
	if (life_ready() && !segment_trim())
		notice_add(segment.head->notices, WIRE_NOTICES, "mlockall", "the tables were cut to what is used; a forked child is not watched");
	return fn ? fn(flags) : -1;
}
