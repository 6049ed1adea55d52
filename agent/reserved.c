/* reserved.c: what the agent has reserved and not used costs the program nothing, until it locks its memory (memcached -k, what must not
 * page) or limits its size (a shell's ulimit -v): the kernel counts every mapping then. So the tables are cut before it does. Passes on
 * mlockall and the functions that set limits; whoever makes the system call with its own hands, or is limited from outside, is not
 * noticed. */
#include <sys/mman.h>
#include "cc.h"
#include "hook.h"
#include "life.h"
#include "notice.h"
#include "origin.h"
#include "real.h"
#include "segment.h"
#include "sys.h"

static void cut(const char *why)
{
	if (life_ready() && !segment_trim())
		notice_add(segment.head->notices, WIRE_NOTICES, why, "the tables were cut to what is used; a forked child is not watched");
}

EXPORT int HOOK(mlockall)(int flags);
EXPORT int HOOK(mlockall)(int flags)
{
	static struct real real = { .name = "mlockall" };
	int (*fn)(int) = (int (*)(int))real_find(&real);
	cut("mlockall");
	return fn ? fn(flags) : -1;
}

/* As under a limit that the program begins with. */
static void asked(int what, const struct rlimit64 *r)
{
	if (r && (what == RLIMIT_AS || what == RLIMIT_DATA) && !origin_affordable(segment_reserved(), r->rlim_cur)) cut("setrlimit");
}

#define LIMITS(function) \
	EXPORT int HOOK(function)(int what, const struct rlimit64 *r); \
	EXPORT int HOOK(function)(int what, const struct rlimit64 *r) \
	{ \
		static struct real real = { .name = #function }; \
		int (*fn)(int, const struct rlimit64 *) = (int (*)(int, const struct rlimit64 *))real_find(&real); \
		asked(what, r); \
		return fn ? fn(what, r) : -1; \
	}

#define LIMITS_OF(function) \
	EXPORT int HOOK(function)(int pid, int what, const struct rlimit64 *r, struct rlimit64 *old); \
	EXPORT int HOOK(function)(int pid, int what, const struct rlimit64 *r, struct rlimit64 *old) \
	{ \
		static struct real real = { .name = #function }; \
		int (*fn)(int, int, const struct rlimit64 *, struct rlimit64 *) = \
			(int (*)(int, int, const struct rlimit64 *, struct rlimit64 *))real_find(&real); \
		if (!pid || pid == sys_getpid()) asked(what, r); \
		return fn ? fn(pid, what, r, old) : -1; \
	}

LIMITS(setrlimit)
LIMITS(setrlimit64)
LIMITS_OF(prlimit)
LIMITS_OF(prlimit64)
