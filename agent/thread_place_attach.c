/* thread_place_attach.c: see thread_slot.h. Slots are claimed with one exchange and never given back, so a probe for a thread that has one always
 * finds it. That a slot has changed hands is seen by the tid, when a sample is due: until then the new thread goes on with the gap of the
 * old one, which is as good as any, exponential gaps having no memory. */
#include "thread.h"
#include "attach_block.h"
#include "life.h"
#include "segment.h"
#include "sys.h"
#include "wire.h"

enum { PROBES = 64 };

struct thread_slot thread_slots[THREAD_SLOTS];
/* Of those who found no room: never due, and no matter who writes what. */
static struct thread_slot nobody = { .thread.countdown = UINT64_MAX };

struct thread *thread_find(uintptr_t pointer)
{
	uint32_t at = thread_hash(pointer);
	for (unsigned i = 0; pointer && i < PROBES; i++, at = (at + 1) % THREAD_SLOTS) {
		struct thread_slot *s = &thread_slots[at];
		uintptr_t owner = LOAD(s->pointer);
		if (!owner) CAS(s->pointer, &owner, pointer);   /* a signal handler of this thread may have been quicker */
		if (owner == pointer || !owner) return &s->thread;
	}
	STORE(nobody.thread.countdown, UINT64_MAX);
	if (segment.head) segment_lost(WIRE_LOST_SLOT);
	return &nobody.thread;
}

int thread_placed(const struct thread *t)
{
	return t != &nobody.thread;
}

uint32_t thread_tid(void)
{
	uint32_t offset = alloctop_attach.tid_offset;
	return offset ? LOAD(*(const uint32_t *)(cpu_thread_pointer() + offset)) : (uint32_t)sys_gettid();
}

void thread_renew(struct thread *t)
{
	struct thread_slot *s = (struct thread_slot *)((char *)t - offsetof(struct thread_slot, thread));
	uint32_t tid = thread_tid();
	if (s->tid == tid) return;
	if (s->tid && t->enrolled == life_generation() && wire_thread_slot(t->id)) {
		t->allocs--;            /* the call that came here is the new one's */
		thread_leave(t);
		t->allocs++;
	}
	s->tid = tid;
	t->enrolled = 0;
	t->stack = (struct unwind_bounds){ 0 };
}

/* Only the calling thread lives here, and its tid is another. */
void thread_forked(void)
{
	uintptr_t own = cpu_thread_pointer();
	for (unsigned i = 0; i < THREAD_SLOTS; i++)
		if (thread_slots[i].pointer && thread_slots[i].pointer != own) thread_slots[i].tid = 0;
		else if (thread_slots[i].pointer) thread_slots[i].tid = thread_tid();
}

/* No key of the process's thread library tells us of an end. */
void thread_init(void) { }
void thread_met(uint32_t generation) { (void)generation; }
