/* origin_attach.c: see origin.h. Everything was made from outside and stands in the block, so that a program in a sandbox is asked for no system
 * call that it may not make. */
#include "origin.h"
#include "attach_block.h"
#include "sys.h"

int origin_memory(struct origin_memory *m, uint64_t size, uint64_t private_size, unsigned scale, int last)
{
	(void)scale;
	const struct attach_block *b = &alloctop_attach;
	*m = (struct origin_memory){ (void *)(uintptr_t)b->segment, (void *)(uintptr_t)b->private, WIRE_PRIVATE | WIRE_ATTACHED, -1, 0 };
	int fits = b->segment && b->private && size <= b->segment_size && private_size <= b->private_size;
	if (fits || last) STORE(alloctop_attach.started, fits ? 1u : 2u);
	return fits ? 0 : -1;
}

void origin_stamp(struct wire_header *h, int forked)
{
	const struct attach_block *b = &alloctop_attach;
	h->pid = b->pid;
	h->realtime_ns = b->started_realtime_ns;
	h->start = h->last = (struct wire_clock){ b->started_ticks, b->started_monotonic_ns };
	if (!forked) return;
	int (*clock)(int, long *) = (int (*)(int, long *))(uintptr_t)b->clock;
	h->pid = (uint32_t)sys_getpid();
	h->realtime_ns = sys_clock_ns(clock, 0);
	h->start = h->last = (struct wire_clock){ cpu_ticks(), sys_clock_ns(clock, 1) };
	h->flags |= WIRE_ATTACHED;
}

uint32_t *origin_mark(void)
{
	return (uint32_t *)(uintptr_t)alloctop_attach.mark;
}

int origin_sandboxed(void)
{
	return alloctop_attach.flags & ATTACH_SANDBOXED;
}

int origin_withdrawn(void)
{
	return LOAD(alloctop_attach.state) != ATTACH_ACTIVE;
}
