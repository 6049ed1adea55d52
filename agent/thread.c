/* thread.c: see thread.h. A thread's slot in the segment is its own until it ends; then its totals are added to slot 0. */
#include "thread.h"
#include "sandbox.h"
#include "segment.h"
#include "settings.h"
#include "sys.h"

enum { PROBES = 64, PR_GET_NAME = 16 };

static struct wire_thread *slot_of(const struct thread *t)
{
	return &segment.threads[wire_thread_slot(t->id)];
}

static uint64_t spent(const struct thread *t)
{
	return t->bytes + t->armed - (settings.exact || t->ahead ? t->gap : t->countdown);
}

/* What was flushed so far is somebody else's account from now on. */
static void rebase(struct thread *t)
{
	t->allocs_base = t->allocs;
	t->bytes_base = spent(t);
	t->frees_base = t->frees;
	t->samples = 0;
}

void thread_leave(struct thread *t)
{
	thread_flush(t);
	struct wire_thread *s = slot_of(t), *rest = &segment.threads[0];
	uint64_t allocs = s->allocs, bytes = s->alloc_bytes, frees = s->frees, samples = s->samples;
	t->id = 0;
	rebase(t);
	STORE(s->serial, s->serial + 1);
	RELEASE(s->tid, 0);
	if (s->epoch != LOAD(segment.head->control.epoch)) return;
	ADD(rest->allocs, allocs);
	ADD(rest->alloc_bytes, bytes);
	ADD(rest->frees, frees);
	ADD(rest->samples, samples);
}

static uint32_t slot_claim(uint32_t tid)
{
	uint32_t n = LOAD(segment.threads_used), max = segment.threads_max;
	while (n < max)         /* slots that were never used come first: names of ended threads last longer */
		if (CAS(segment.threads_used, &n, n + 1)) {
			STORE(segment.threads[n].tid, tid);
			segment_publish(WIRE_THREADS, n + 1);
			return n;
		}
	for (uint32_t i = 0; i < PROBES; i++) {
		uint32_t at = 1 + (tid + i * 61) % (max - 1), empty = 0;
		if (CAS(segment.threads[at].tid, &empty, tid)) return at;
	}
	segment_lost(WIRE_LOST_THREAD_FULL);
	return 0;
}

/* The slot's exact table goes with its epoch. */
static void enter(struct wire_thread *s, uint32_t epoch)
{
	if (s->epoch == epoch) return;
	STORE(s->epoch, epoch);
	s->allocs = s->alloc_bytes = s->frees = s->samples = 0;
	if (segment.exact) memset(segment.exact + (size_t)(s - segment.threads) * WIRE_CLASSES, 0, WIRE_CLASSES * sizeof *segment.exact);
}

void thread_enrol(struct thread *t, uint32_t generation)
{
	uint32_t tid = thread_tid();
	uint64_t now = cpu_ticks();
	t->enrolled = generation;
	t->stack.lo = t->stack.hi = 0;
	t->site = 0;
	t->random = (now ^ (uint64_t)tid << 40 ^ (uint64_t)t) * 0x9E3779B97F4A7C15ULL | 1;
	t->bytes = t->armed = t->samples = 0;
	t->countdown = t->gap = t->owed = t->ahead = 0;
	t->allocs_base = t->allocs - 1; /* the call that came here counts */
	t->frees_base = t->frees;
	t->bytes_base = 0;
	t->epoch = LOAD(segment.head->control.epoch);
	uint32_t slot = slot_claim(tid);
	struct wire_thread *s = &segment.threads[slot];
	t->id = wire_thread_id(slot, slot ? s->serial & 0xfffff : 0);
	thread_met(generation);
	if (!slot) return;
	s->start = now;
	enter(s, t->epoch);
	s->allocs = s->alloc_bytes = s->frees = s->samples = 0;
	memset(s->name, 0, sizeof s->name);
	if (!sandbox_entered()) SYS(__NR_prctl, PR_GET_NAME, s->name, 0, 0, 0, 0);
}

void thread_flush(struct thread *t)
{
	uint32_t epoch = LOAD(segment.head->control.epoch);
	struct wire_thread *s = slot_of(t);
	if (t->epoch != epoch) {
		t->epoch = epoch;
		rebase(t);
	}
	enter(s, epoch);
	uint64_t allocs = t->allocs - t->allocs_base, bytes = spent(t) - t->bytes_base, frees = t->frees - t->frees_base;
	if (wire_thread_slot(t->id)) {
		STORE(s->allocs, allocs);
		STORE(s->alloc_bytes, bytes);
		STORE(s->frees, frees);
		STORE(s->samples, t->samples);
		return;
	}
	ADD(s->allocs, allocs);         /* shared with others: hand over, and start from here */
	ADD(s->alloc_bytes, bytes);
	ADD(s->frees, frees);
	ADD(s->samples, t->samples);
	rebase(t);
}
