/* slow.h: what calls of the allocator cost: some are timed, only while somebody asks for it (the `timing` control word), with the cycle counter
 * and the kernel's account of the thread (voluntary and other switches, minor faults), which is a system call. The stack is taken after the
 * call.
 *
 * Whatever is done in front of a call makes it come later, and where a lock is stuck, as its holder does not run, it is the next call of each thread
 * that waits. So a timed call has hardly anything in front of it that others do not have. An allocation is not timed when it is sampled,
 * nor is the next one of its thread, in front of which the account is taken; the one behind it is, and stands for as many as the sample
 * does. Of a sampled block the free is timed, with nothing but its search in front. What was accounted for before the allocation is good
 * enough, unless the thread did something else for long in between; then a system call more is little beside that. Large blocks are rare and
 * take long, and are not left to chance: each that is sampled is timed itself, and none in its place. */
#ifndef AGENT_SLOW_H
#define AGENT_SLOW_H

#include <stddef.h>
#include <stdint.h>
#include "wire.h"

struct thread;

/* Of a thread: what had been counted `at` that tick; 0: not to be relied on any more. */
struct slow_account { uint64_t at; uint32_t waited, preempted, faults; };

/* One call. Zeroed: not timed. */
struct slow {
	uint64_t ticks;                 /* first when it began, then how long it took */
	uint32_t waited, preempted, faults;     /* voluntary and other switches, minor faults meanwhile; */
	uint8_t vague;                          /* or shortly before */
	uint8_t on, accounts;           /* it is timed; the account was taken in front of it */
	uint8_t large;                  /* if it is timed, because it is sampled itself */
};

/* Does somebody ask for it? */
int slow_wanted(void);
/* Around an allocation on the slow path: `sampled`, or looked at because of slow_plan. */
void slow_begin(struct slow *s, struct thread *t, size_t n, int sampled);
/* Around the free of a sampled block that was allocated at that tick. */
void slow_begin_free(struct slow *s, struct thread *t, uint64_t birth);
void slow_end(struct slow *s, struct thread *t);
/* An allocation was sampled: the second one from here is timed. */
void slow_plan(struct thread *t, uint64_t objects_q16);
/* How many calls a timed allocation stands for, if it is not large: those of the samples since the last one. */
uint64_t slow_owed(struct thread *t);
/* Enters a timed call: of a block of this size, from this site, standing for so many calls. */
void slow_record(const struct slow *s, enum wire_op op, uint32_t site, size_t size, uint64_t objects_q16);

#endif
