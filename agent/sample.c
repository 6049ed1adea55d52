/* sample.c: see sample.h. */
#include "sample.h"
#include "cpu.h"
#include "exact.h"
#include "life.h"
#include "live.h"
#include "math.h"
#include "modules.h"
#include "scan.h"
#include "segment.h"
#include "settings.h"
#include "site.h"
#include "slow.h"
#include "thread.h"
#include "unwind.h"

#define NEVER (UINT64_MAX / 2)          /* bytes: more than a process can ask for */
enum { IDLE_RATE = 64 << 10 };          /* while stopped, look at the control words at least this seldom */

/* Draws the gap to the next sample. Rounded up, so that `gap <= n` has exactly the probability of the real-valued gap. */
static void arm(struct thread *t, int running)
{
	uint64_t rate = LOAD(segment.head->control.rate), gap = 0;
	if (rate < 1) rate = 1;
	if (!running && rate < IDLE_RATE) rate = IDLE_RATE;
	if (rate > 1) gap = (uint64_t)(math_neg_log(math_random(&t->random)) * (double)rate) + 1;
	t->rate = rate;
	t->armed = t->gap = gap;
	t->countdown = settings.exact || t->ahead ? 0 : gap;
}

/* A sample is rare enough that hardly anything it needs is in the cache. Most of it can be named before the call of the allocator,
   above all the rules for a stack that ends like the last one: asked for together they cost one wait, not one each. */
static void expect(const struct thread *t, size_t n)
{
	const struct wire_site *s = &segment.sites[t->site];
	__builtin_prefetch(&segment.classes[wire_class_of(n)], 1);
	__builtin_prefetch(&s->samples, 1);
	if (s->frames <= segment.frames_max - s->depth) unwind_expect(segment.frames + s->frames, s->depth);
}

/* The calling stack's site. Apart from its caller, as nothing else shall stand on the stack beside a kilobyte of addresses. */
static NOINLINE uint32_t here(struct thread *t)
{
	uint64_t pc[WIRE_DEPTH_MAX];
	if (UNLIKELY(scan_news())) modules_scan();
	unsigned cut = 0, depth = unwind_here(&t->stack, pc, (unsigned)settings.depth, &cut);
	if (cut) segment_lost(cut - 1);
	return site_of(pc, depth, cut);
}

/* As sample_due, which calls it. Apart, so that little stands above what takes the stack. */
static NOINLINE uint64_t drawn(size_t n)
{
	struct thread *t = thread_self();
	if (!life_ready()) {
		if (life_dormant()) t->countdown = NEVER;
		return 0;
	}
	if (n > NEVER || !thread_placed(t)) return 0;   /* the first will fail */
	thread_renew(t);
	if (UNLIKELY(t->enrolled != life_generation())) {
		thread_enrol(t, life_generation());
		arm(t, 1);
	}
	uint64_t *left = settings.exact || t->ahead ? &t->gap : &t->countdown;
	if (n < *left) {
		*left -= n;
		return 0;
	}
	expect(t, n);
	uint64_t rate = t->rate;
	int running = LOAD(segment.head->control.running) != 0;
	t->bytes += t->armed - *left + n;
	arm(t, running);
	t->samples += (uint64_t)running;
	thread_flush(t);
	return running ? rate : 0;
}

uint64_t sample_due(size_t n)
{
	uint64_t rate = drawn(n);
	if (UNLIKELY(rate && slow_wanted())) thread_self()->site = here(thread_self()); /* before the call: what follows it comes as soon as it can */
	return rate;
}

/* Up or down by chance: at rates around its unit (1 KiB) most variances would be nothing otherwise, and so would their sum. */
static uint64_t rounded(double v, uint64_t *random)
{
	return (uint64_t)(v + (double)math_random(random) * 0x1p-53);
}

static struct site_weight weigh(uint64_t size, uint64_t rate, uint64_t *random)
{
	if (rate <= 1 || !size) return (struct site_weight){ size, 65536, 0 };
	double hit = math_hit((double)size / (double)rate), bytes = (double)size / hit;
	return (struct site_weight){ (uint64_t)(bytes + 0.5), (uint64_t)(65536 / hit), rounded(bytes * bytes * (1 - hit) / 1048576, random) };
}

static NOINLINE void record(struct thread *t, void *p, size_t n, uint64_t rate)
{
	struct site_weight w = weigh(n, rate, &t->random);
	uint64_t now = cpu_ticks();
	struct wire_live b = {
		.addr = (uint64_t)p, .size = n, .weight = w.bytes, .birth = now, .site = t->site,
		.thread = t->id, .epoch = LOAD(segment.head->control.epoch),
	};
	site_allocated(b.site, n, &w);
	live_insert(&b);
	slow_plan(t, w.objects_q16);
	life_tick(now);
}

static NOINLINE void record_slow(struct thread *t, size_t n, uint64_t rate, const struct slow *s, enum wire_op op)
{
	slow_record(s, op, t->site, n, s->large ? weigh(n, rate, &t->random).objects_q16 : slow_owed(t));
}

void sample_made(void *p, size_t n, uint64_t rate, const struct slow *s, enum wire_op op)
{
	struct thread *t = thread_self();
	if (!p) {
		if (rate) t->bytes -= n;
		return;
	}
	if (settings.exact && life_running()) exact_allocated(t, p, n);
	if (LIKELY(!rate && !s->on)) return;
	if (!life_running()) return;
	if (LIKELY(!rate || !(s->accounts || s->large))) t->site = here(t);
	if (UNLIKELY(s->on)) record_slow(t, n, rate, s, op);
	if (rate) record(t, p, n, rate);
}

int sample_forget(void *p, struct wire_live *b)
{
	if (!p || !life_ready()) return 0;
	return !live_remove((uint64_t)p, b);
}

uint64_t sample_objects(const struct wire_live *b)
{
	return b->size ? (uint64_t)((double)b->weight * 65536 / (double)b->size) : 65536;
}

void sample_freed(const struct wire_live *b)
{
	struct thread *t = thread_self();
	site_freed(b, t->enrolled == life_generation() ? t->id : UINT32_MAX, cpu_ticks());
}

uint32_t sample_freeing(const struct wire_live *b)
{
	struct thread *t = thread_self();
	return t->enrolled == life_generation() ? here(t) : b->site;
}

void sample_restore(const struct wire_live *b)
{
	live_insert(b);
}
