/* collect.c: see collect.h. The locks are watched by a thread with a target of its own, everything else is read in turn. */
#include "inspect/verdict/collect.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "inspect/allocator/allocator.h"
#include "inspect/allocator/survey.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"
#include "inspect/target/usage.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/collect_agent.h"
#include "inspect/verdict/collect_faults.h"
#include "inspect/verdict/collect_locks.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/identity.h"
#include "inspect/verdict/machine.h"
#include "inspect/verdict/nodes.h"
#include "inspect/verdict/shrink.h"

static const double
	moments_wanted = 21,    /* so many of a watch, if they can be had */
	least_interval_s = 0.05,
	heap_share = 0.1;       /* of a processor may be spent on reading the heap, beside the first and the last time */
enum { TRIES = 5, FULL_MAX = 1 << 30 };    /* FULL_MAX: a heap up to here is walked block by block where counters do not tell live from free: a second or two */

struct watch {
	const struct collect_options *o;
	struct facts *f;
	struct target t;
	double begin, heap_again;
	int full;               /* quick looks have not been enough */
	size_t nallocators;     /* that were seen at once */
	int another;            /* it has become another program: what was opened is of the one before */
	struct collect_agent *agent;
};

static double clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

static int interrupted(const struct watch *w) { return w->o->interrupt && __atomic_load_n(w->o->interrupt, __ATOMIC_RELAXED); }

static void sleep_until(const struct watch *w, double at)
{
	for (double left; (left = at - now()) > 0 && !interrupted(w);) {
		double s = left < 0.1 ? left : 0.1;
		nanosleep(&(struct timespec){ (time_t)s, (long)((s - floor(s)) * 1e9) }, NULL);
	}
}

static double live_of(const struct heap *h)
{
	double sum = 0;

	for (size_t i = 0; i < h->nallocators; i++)
		if (h->allocator[i].in_use) sum += facts_bytes(h->allocator[i].live_bytes);
	return h->nallocators ? sum : NAN;
}

static double free_of(const struct heap *h)
{
	double sum = (double)h->ledger.external_free;

	for (size_t i = 0; i < h->ledger.nrows; i++)
		if (strstr(h->ledger.row[i].name, ": cached")) sum += (double)h->ledger.row[i].bytes;
	return sum;
}

/* Of an allocator in use: a quick look that was torn may be anywhere; a walk that was torn is near. */
static int is_doubtful(const struct heap *h)
{
	int doubtful = 0;

	for (size_t i = 0; i < h->nallocators; i++) {
		const struct heap_allocator *a = &h->allocator[i];
		doubtful |= a->status != HEAP_UNSUPPORTED && ((a->in_use && a->live_bytes == HEAP_UNKNOWN) || (a->status == HEAP_TORN && !h->full));
	}
	return doubtful;
}

static int needs_full(const struct heap *h)
{
	uint64_t mapped = 0;

	for (size_t i = 0; i < h->nallocators; i++) mapped += h->allocator[i].mapped != HEAP_UNKNOWN ? h->allocator[i].mapped : 0;
	return is_doubtful(h) && mapped <= FULL_MAX;
}

/* One that is busy may not be recognised at a moment: then it is looked at again. */
static int survey(struct watch *w, struct heap *h, struct err *e)
{
	struct survey_options so = { .flags = ALLOCATOR_REQUESTED };

	for (unsigned try = 1;; try++) {
		so.flags |= w->full ? ALLOCATOR_FULL : 0;
		if (survey_read(&w->t, &so, h, e)) return -1;
		int fewer = !h->nallocators || h->nallocators < w->nallocators, full = !w->full && needs_full(h);
		if (!fewer) w->nallocators = h->nallocators;
		if (!fewer && (!full || try == TRIES)) return 0;
		if (try == TRIES && !w->nallocators) return 0;
		w->full |= full;
		heap_free(h);
		if (try == TRIES) return err_set(e, ERR_FAIL, "pid %d: its allocator could not be read, so busy it is", (int)w->t.pid);
		if (target_refresh(&w->t, e)) return -1;
	}
}

/* The heap, kept as the newest; the first one also as the one before. */
static void read_heap(struct watch *w, struct facts_moment *m, int first)
{
	struct facts *f = w->f;
	struct heap h = { 0 };
	struct err e;
	double start = clock_of(CLOCK_THREAD_CPUTIME_ID);

	if ((!first && target_refresh(&w->t, &e)) || survey(w, &h, &e)) {
		if (!f->heap_group.known) snprintf(f->heap_group.why, sizeof f->heap_group.why, "%.230s", e.text);
		return;
	}
	/* what it costs: on a busy machine it also waits for a processor */
	w->heap_again = now() + (clock_of(CLOCK_THREAD_CPUTIME_ID) - start) / heap_share;
	if (!is_doubtful(&h)) {
		m->live = live_of(&h);
		m->live_error = 0;
		m->held_free = free_of(&h);
	}
	m->swap = (double)h.ledger.swapped;
	if (!f->heap_group.known) f->before = h;
	else {
		if (f->heap.nallocators || f->heap.ledger.nrows) heap_free(&f->heap);
		f->heap = h;
	}
	f->heap_group.known = 1;
}

/* Is it still there, and the same program? 0, or -1. */
static int same(struct watch *w, struct proc *p)
{
	struct err e;

	if (proc_read(p, w->t.pid, &e) || p->start_ticks != w->t.proc.start_ticks || p->state == 'Z' || p->state == 'X') w->f->exited = 1;
	else w->another = strcmp(p->exe, w->t.proc.exe) != 0;
	return -(w->f->exited || w->another);
}

/* Everything of one moment. The heap first, as that takes long on a busy machine: the cheap figures and the time are of when its walk was over, so
   that they can be compared. The watch begins after the first. 0, or -1: it has ended. */
static int moment(struct watch *w, int ends)
{
	struct facts *f = w->f;
	struct facts_moment *m = &f->series[f->nseries];
	struct usage u;
	struct proc p;
	struct err e;

	*m = (struct facts_moment){ .swap = NAN, .live = NAN, .live_error = NAN, .held_free = NAN };
	if (same(w, &p)) return -1;
	if (ends || now() >= w->heap_again) {
		read_heap(w, m, !f->nseries);
		if (same(w, &p)) return -1;
	}
	if (usage_read(&u, w->t.pid, &e)) {
		f->exited = 1;
		return -1;
	}
	if (!f->nseries) w->begin = now();
	m->at = now() - w->begin;
	m->rss = (double)p.rss_bytes;
	m->threads = p.threads;
	m->minor_faults = (double)u.minor_faults;
	m->major_faults = (double)u.major_faults;
	m->voluntary = (double)u.voluntary;
	m->involuntary = (double)u.involuntary;
	m->user_s = u.user_s;
	m->system_s = u.system_s;
	f->threads = p.threads;
	f->uptime_s = p.uptime_s;
	f->watch_s = m->at;
	f->run_nodes |= nodes_of_threads(w->t.pid);
	collect_agent_moment(w->agent, f->nseries);
	f->nseries++;
	return 0;
}

static void series(struct watch *w)
{
	double interval = w->o->watch_s / (moments_wanted - 1);

	if (interval < least_interval_s) interval = least_interval_s;
	if (moment(w, 1)) return;
	for (double at = interval; at < w->o->watch_s - interval / 2 && !interrupted(w) && w->f->nseries + 2 < FACTS_MOMENTS; at += interval) {
		/* a reading that took long makes fewer moments, not a longer watch */
		while (w->begin + at < now() && at + interval < w->o->watch_s) at += interval;
		sleep_until(w, w->begin + at);
		if (moment(w, 0)) return;
	}
	sleep_until(w, w->begin + w->o->watch_s);
	moment(w, 1);
}

/* Where the ledger could not tell twice, the agent's estimate stands. Two readings and the resident memory between them say more than the few
   samples of a short watch. */
static void choose_live(struct facts *f)
{
	unsigned known = 0;

	for (size_t i = 0; i < f->nseries; i++) known += !isnan(f->series[i].live);
	if (known >= 2 || !f->agent_group.known) {
		f->live_source = known ? "ledger" : NULL;
		return;
	}
	f->live_source = "agent";
	for (size_t i = 0; i < f->nseries; i++) {
		struct facts_moment *m = &f->series[i];
		m->live = NAN;
		for (size_t k = 0; k < f->nsites; k++)
			if (!isnan(f->site[k].live_at[i])) m->live = (isnan(m->live) ? 0 : m->live) + f->site[k].live_at[i];
		m->live_error = f->agent_live_error;
	}
}

int collect(pid_t pid, const struct collect_options *o, struct facts *f, struct err *e)
{
	struct watch w = { .o = o, .f = f };
	struct collect_locks *locks;
	struct collect_faults *faults;

	*f = (struct facts){ .rss = NAN, .swap = NAN, .lazy_free = NAN, .huge = NAN, .hugetlb = NAN, .anonymous = NAN, .memory_limit = NAN, .agent_age_s = NAN, .agent_live = NAN,
	                     .agent_live_error = NAN, .sample_rate = NAN, .agent_rounding = NAN, .alloc_bytes_per_s = NAN, .alloc_objects_per_s = NAN, .agent_losses = NAN, .shrinks = NAN };
	if (target_open_pid(&w.t, pid, e)) return -1;
	w.agent = collect_agent_begin(pid, f);
	locks = collect_locks_begin(pid, o);
	faults = collect_faults_begin(pid, o);
	struct shrink *shrink = shrink_begin(pid);
	/* also now: it may not be there at the end */
	machine_fill(f, pid);
	series(&w);
	f->shrinks = shrink_end(shrink);
	if (!f->exited) machine_fill(f, pid);
	if (f->before.ledger.nrows && !f->heap.ledger.nrows) {
		/* one reading only: it is the one at the end, and there is none before */
		f->heap = f->before;
		f->before = (struct heap){ 0 };
	}
	if (f->nseries) {
		identity_fill(f, &w.t);
		identity_deployed(f, &w.t);
	}
	collect_locks_end(locks, f);
	collect_faults_end(faults, f);
	collect_agent_end(w.agent, f);
	choose_live(f);
	target_close(&w.t);
	if (f->nseries && !w.another) return 0;
	facts_free(f);
	if (w.another) return err_set(e, ERR_FAIL, "pid %d: it became another program (exec) while it was watched", (int)pid);
	return err_set(e, ERR_GONE, "pid %d: no such process", (int)pid);
}
