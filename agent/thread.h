/* thread.h: per-thread state. Everything here is written by its own thread only; signal handlers of that thread may interrupt at any point.
 *
 * How a thread reaches its own is chosen once, at the end: thread_tls.h, thread_slot.h. Each offers
 *   thread_self()           never NULL; the first thing that every hook does
 *   thread_near()           the same, or NULL where a call would be needed to find it, for which the fast path saves no register
 *   thread_placed(t)        0: the state is not the thread's own, and says nothing
 *   thread_renew(t)         slow path: has another thread taken over the state of one that ended? Then it is as new */
#ifndef AGENT_THREAD_H
#define AGENT_THREAD_H

#include <stdint.h>
#include "cc.h"
#include "slow.h"
#include "unwind.h"

struct thread {
	uint64_t countdown;     /* requested bytes left until the next sample; an allocation of at least as many takes the slow path */
	uint64_t allocs, frees; /* calls since the thread was enrolled */
	/* from here on touched by the slow path only */
	uint64_t armed;         /* what countdown was when it was last set */
	uint64_t bytes;         /* requested before that */
	uint64_t gap;           /* the countdown proper, while countdown is kept at 0 so that each allocation is looked at: exact mode, ahead */
	uint64_t rate;          /* the gap was drawn for */
	uint64_t random;
	uint32_t enrolled;      /* life.generation it belongs to; 0: not yet */
	uint32_t present;       /* life.generation in which its end will be noticed */
	uint32_t id;            /* wire_thread_id; slot 0 when there was no room */
	uint32_t epoch;
	uint32_t site;          /* of its last sample */
	uint32_t ahead;         /* calls are timed (slow.h): so many allocations until one has been; 0: none is to be */
	uint64_t owed;          /* calls that the next timed one stands for */
	struct slow_account account;
	uint64_t allocs_base, bytes_base, frees_base, samples;
	struct unwind_bounds stack;
};

/* Gives the calling thread a slot in the segment (or slot 0, counted). Once per thread and generation. */
void thread_enrol(struct thread *t, uint32_t generation);
/* Writes the thread's totals to its slot. */
void thread_flush(struct thread *t);
/* The end of the calling thread will be noticed from now on: the helper thread leaves when the last one does. Enrolment does it too. */
void thread_met(uint32_t generation);
/* In a forked child: only the calling thread is left, and it will enrol again. */
void thread_forked(void);
/* Looks for the process's pthread_key functions, by which the end of a thread is noticed. Without them slots are not used again. */
void thread_init(void);
/* The kernel's number of the calling thread. */
uint32_t thread_tid(void);
/* The thread has ended: its totals are slot 0's from now on, and so is what it may still do. */
void thread_leave(struct thread *t);

#ifdef AGENT_ATTACHED
#include "thread_slot.h"
#else
#include "thread_tls.h"
#endif

#endif
