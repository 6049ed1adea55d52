/* slow.c: see slow.h. */
#include "slow.h"
#include "sandbox.h"
#include "segment.h"
#include "settings.h"
#include "site.h"
#include "sys.h"
#include "thread.h"

enum { RUSAGE_OF_THREAD = 1, SPUN = 8, SHORTLY = 1 << 14 /* ticks: a few microseconds */, AHEAD = 2, LARGE = 32 << 10, LARGE_PART = 4 };

/* struct rusage of the kernel. */
struct usage { long utime[2], stime[2], maxrss, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock, msgsnd, msgrcv, nsignals, nvcsw, nivcsw; };

static NOINLINE int account(struct slow_account *a)
{
	struct usage u;
	if (SYS(__NR_getrusage, RUSAGE_OF_THREAD, &u, 0, 0, 0, 0)) return -1;
	*a = (struct slow_account){ 0, (uint32_t)u.nvcsw, (uint32_t)u.nivcsw, (uint32_t)u.minflt };
	return 0;
}

int slow_wanted(void)
{
	return segment.head && LOAD(segment.head->control.timing) && !sandbox_entered();
}

static void begin_accounted(struct slow *s, struct thread *t)
{
	s->accounts = !account(&t->account);
	s->ticks = cpu_ticks();
}

static void begin_timed(struct slow *s, struct thread *t)
{
	s->ticks = cpu_ticks();
	s->on = s->vague = t->account.at != 0 && s->ticks - t->account.at < SHORTLY;
	if (s->on) return;
	s->on = !account(&t->account);
	s->ticks = cpu_ticks();
}

/* Blocks of which a good part is sampled, and that are allocated seldom. */
static int is_large(const struct thread *t, size_t n) { return n >= LARGE && n >= t->rate / LARGE_PART; }

void slow_begin(struct slow *s, struct thread *t, size_t n, int sampled)
{
	uint32_t ahead = t->ahead;
	*s = (struct slow){ 0 };
	if (LIKELY(!ahead && !sampled)) return;
	if (ahead && !--t->ahead && !settings.exact) t->countdown = t->gap;
	if (!slow_wanted()) return;
	s->large = is_large(t, n) != 0;
	if (s->large) {
		t->account.at = 0;
		if (ahead == 1) t->owed = 0;
		if (sampled) begin_timed(s, t);
	} else if (ahead == 1) begin_timed(s, t);
	else begin_accounted(s, t);
}

void slow_begin_free(struct slow *s, struct thread *t, uint64_t birth)
{
	*s = (struct slow){ 0 };
	if (!slow_wanted() || !thread_placed(t)) return;
	if (birth < t->account.at) t->account.at = 0;   /* another allocation's */
	begin_timed(s, t);
}

void slow_end(struct slow *s, struct thread *t)
{
	struct slow_account a;
	if (LIKELY(!s->on && !s->accounts)) return;     /* under a strict sandbox even the cycle counter is forbidden */
	uint64_t now = cpu_ticks();
	if (s->accounts) t->account.at = now - s->ticks < SHORTLY ? now : 0;
	if (!s->on) return;
	s->ticks = now - s->ticks;
	if (account(&a)) {
		s->on = 0;
		return;
	}
	s->waited = a.waited - t->account.waited;
	s->preempted = a.preempted - t->account.preempted;
	s->faults = a.faults - t->account.faults;
	t->account.at = 0;
}

void slow_plan(struct thread *t, uint64_t objects_q16)
{
	if (LIKELY(!slow_wanted())) {
		t->owed = 0;
		return;
	}
	t->owed += objects_q16;
	if (t->ahead) return;
	if (!settings.exact) t->gap = t->countdown;
	t->countdown = 0;
	t->ahead = AHEAD;
}

uint64_t slow_owed(struct thread *t)
{
	uint64_t owed = t->owed;
	t->owed = 0;
	return owed;
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

void slow_record(const struct slow *s, enum wire_op op, uint32_t site, size_t size, uint64_t n)
{
	if (!s->on || !segment.timing) return;
	struct wire_timing *t = row(op, size);
	uint64_t plain = usual(t, s), excess = s->ticks > plain ? scaled(s->ticks - plain, n) : 0, lost = 0;
	int is_slow = s->ticks > plain * SPUN, sure = is_slow || !s->vague;
	segment_publish(WIRE_TIMING, WIRE_OPS * WIRE_CLASSES);
	ADD(t->samples, 1);
	ADD(t->calls_q16, n);
	ADD(t->ticks, scaled(s->ticks, n));
	ADD(t->bucket_q16[bucket(s->ticks)], n);
	if (s->ticks > LOAD(t->max_ticks)) STORE(t->max_ticks, s->ticks);
	if (s->waited && sure) {
		ADD(t->waits_q16, n);
		ADD(t->wait_ticks, lost = excess);
	} else if (s->faults && sure) {
		ADD(t->fault_ticks, excess);
	} else if (s->preempted && sure) {
		ADD(t->preempted_ticks, excess);
	} else if (is_slow) {
		ADD(t->spins_q16, n);
		ADD(t->spin_ticks, lost = excess);
	}
	site_timed(site, n, lost);
}
