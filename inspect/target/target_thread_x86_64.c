/* target_thread_x86_64.c: where a thread's own block (struct pthread) is, without ptrace. glibc: the kernel tells where a thread's list
 * of robust mutexes begins, and that lies in struct pthread, where the thread pointer points; the distance is the same from 2.17 to
 * 2.43. musl registers no list until a robust mutex is used, but its threads stand in a ring. */
#include "inspect/target/target.h"

#include "inspect/target/mem.h"

enum {
	GLIBC_ROBUST_HEAD = 0x2e0, GLIBC_SELF = 16,
	MUSL_NEXT = 24, MUSL_TID = 48, MUSL_HEAD = 56,
};

uint64_t target_thread_pointer(const struct target *t, const struct target_thread *th)
{
	uint64_t tp = th->tp ? th->tp : th->robust_head - GLIBC_ROBUST_HEAD, head[3];

	if ((!th->tp && th->robust_head <= GLIBC_ROBUST_HEAD) || tp % 16) return 0;
	if (mem_read_some(t->mem, tp, head, sizeof head) < sizeof head) return 0;
	return head[0] == tp && (th->tp || head[GLIBC_SELF / 8] == tp) ? tp : 0;
}

uint64_t target_thread_next(const struct target *t, uint64_t tp, pid_t *tid)
{
	uint64_t head[MUSL_HEAD / 8];

	if (tp % 8 || mem_read_some(t->mem, tp, head, sizeof head) < sizeof head || head[0] != tp) return 0;
	*tid = (pid_t)(uint32_t)head[MUSL_TID / 8];
	return head[MUSL_NEXT / 8];
}
