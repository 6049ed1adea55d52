/* thread_slot.h: see thread.h. An agent that was put into a running process has no thread-local storage. Its threads have slots of a table,
 * found by their thread pointer and never given back: a thread that ends leaves its slot to the next one with the same pointer, which
 * is mostly a stack used again. Who finds no room shares a state that is never sampled. */
#ifndef AGENT_THREAD_SLOT_H
#define AGENT_THREAD_SLOT_H

#include "cpu.h"

enum { THREAD_SLOTS_LOG = 12, THREAD_SLOTS = 1 << THREAD_SLOTS_LOG };

struct thread_slot {
	uintptr_t pointer;              /* whose it is; 0: nobody's yet. In the same line as what each call touches */
	struct thread thread;
	uint32_t tid;                   /* when it was last looked at */
} ALIGNED(256);

extern struct thread_slot thread_slots[THREAD_SLOTS] OURS;

static ALWAYS_INLINE uint32_t thread_hash(uintptr_t pointer)
{
	return (uint32_t)(pointer >> 6) * 0x9E3779B1u >> (32 - THREAD_SLOTS_LOG);
}

/* Anywhere but at its first place: looks for it, and claims one. */
struct thread *thread_find(uintptr_t pointer);

static ALWAYS_INLINE struct thread *thread_near(void)
{
	uintptr_t pointer = cpu_thread_pointer();
	struct thread_slot *s = &thread_slots[thread_hash(pointer)];
	return LIKELY(LOAD(s->pointer) == pointer) ? &s->thread : 0;
}

static ALWAYS_INLINE struct thread *thread_self(void)
{
	struct thread *t = thread_near();
	return LIKELY(t != 0) ? t : thread_find(cpu_thread_pointer());
}

int thread_placed(const struct thread *t);
void thread_renew(struct thread *t);

#endif
