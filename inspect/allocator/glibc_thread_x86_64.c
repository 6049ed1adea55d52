/* glibc_thread_x86_64.c: the thread pointer of a thread, without ptrace: the kernel tells where its list of robust mutexes begins,
 * and that lies in struct pthread, where the thread pointer points. The distance is the same from glibc 2.17 to 2.43. */
#include "inspect/allocator/glibc.h"

#include "inspect/target/mem.h"

enum { ROBUST_HEAD = 0x2e0, SELF = 16 };

uint64_t glibc_thread_pointer(const struct target *t, const struct target_thread *th)
{
	uint64_t tp = th->robust_head - ROBUST_HEAD, head[3];

	if (th->robust_head <= ROBUST_HEAD || tp % 16) return 0;
	if (mem_read_some(t->mem, tp, head, sizeof head) < sizeof head) return 0;
	return head[0] == tp && head[SELF / 8] == tp ? tp : 0;
}
