/* slow.c: see slow.h. */
#include "slow.h"
#include "sandbox.h"
#include "segment.h"
#include "site.h"
#include "sys.h"

enum { RUSAGE_OF_THREAD = 1, SPUN = 8 };

/* struct rusage of the kernel. */
struct usage { long utime[2], stime[2], maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw; };

static NOINLINE void account(struct slow *s)
{
	struct usage u;
	if (SYS(__NR_getrusage, RUSAGE_OF_THREAD, &u, 0, 0, 0, 0)) {
		s->on = 0;
		return;
	}
	s->waited = (uint32_t)u.nvcsw - s->waited;
	s->preempted = (uint32_t)u.nivcsw - s->preempted;
	s->faults = (uint32_t)u.minflt - s->faults;
}

void slow_begin(struct slow *s, int wanted)
{
	*s = (struct slow){ 0 };
	if (!wanted || !segment.head || !LOAD(segment.head->control.timing) || sandbox_entered()) return;
	s->on = 1;
	account(s);
	s->ticks = cpu_ticks();
}

void slow_end(struct slow *s)
{
	if (!s->on) return;
	s->ticks = cpu_ticks() - s->ticks;
	account(s);
}

static unsigned bucket(uint64_t ticks)
{
	unsigned b = ticks ? 63 - (unsigned)__builtin_clzll(ticks) : 0;
	return b < WIRE_TIMING_BUCKETS ? b : WIRE_TIMING_BUCKETS - 1;
}

static uint64_t scaled(uint64_t ticks, uint64_t objects_q16)
{
	return (uint64_t)((double)ticks * (double)objects_q16 / 65536);
}

static struct wire_timing *row(enum wire_op op, size_t size)
{
	struct wire_timing *t = &segment.timing[op * WIRE_CLASSES + wire_class_of(size)];
	uint32_t now = LOAD(segment.head->control.epoch), was = LOAD(t->epoch);
	if (was != now && CAS(t->epoch, &was, now)) memset(&t->calls_q16, 0, sizeof *t - offsetof(struct wire_timing, calls_q16));
	return t;
}

/* What a call of this kind takes when nothing is in its way: the least seen, forgotten slowly. Racing threads cost nothing but
   precision. */
static uint64_t usual(struct wire_timing *t, const struct slow *s)
{
	uint64_t u = LOAD(t->usual_ticks);
	if (!u || s->ticks < u) u = s->ticks;
	else u += (u >> 7) + 1;
	STORE(t->usual_ticks, u);
	return u;
}

void slow_record(const struct slow *s, enum wire_op op, uint32_t site, size_t size, uint64_t objects)
{
	if (!s->on || !segment.timing) return;
	struct wire_timing *t = row(op, size);
	uint64_t plain = usual(t, s), excess = s->ticks > plain ? scaled(s->ticks - plain, objects) : 0, lost = 0;
	segment_publish(WIRE_TIMING, WIRE_OPS * WIRE_CLASSES);
	ADD(t->samples, 1);
	ADD(t->calls_q16, objects);
	ADD(t->ticks, scaled(s->ticks, objects));
	ADD(t->bucket_q16[bucket(s->ticks)], objects);
	if (s->ticks > LOAD(t->max_ticks)) STORE(t->max_ticks, s->ticks);
	if (s->waited) {
		ADD(t->waits_q16, objects);
		ADD(t->wait_ticks, lost = excess);
	} else if (s->faults) {
		ADD(t->fault_ticks, excess);
	} else if (s->preempted) {
		ADD(t->preempted_ticks, excess);
	} else if (s->ticks > plain * SPUN) {
		ADD(t->spins_q16, objects);
		ADD(t->spin_ticks, lost = excess);
	}
	site_timed(site, objects, lost);
}
