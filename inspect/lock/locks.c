/* locks.c: the table of sources, and the measurement: finds the locks, runs the sources side by side, hands their reports to merge.c. */
#include "inspect/lock/lock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/recall.h"
#include "inspect/lock/merge.h"
#include "inspect/lock/tally.h"
#include "inspect/perf/unwind.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

extern const struct lock_source lock_lockword, lock_jemutex, lock_futextrace, lock_cpuclock, lock_procsyscall, lock_agentcalls;

/* Where two know a figure, the first one's word is kept. */
const struct lock_source *const lock_sources[] = {
	&lock_lockword,
	&lock_jemutex,
	&lock_futextrace,
	&lock_procsyscall,
	&lock_cpuclock,
	&lock_agentcalls,
	NULL,
};

enum { SOURCES_MAX = 8, FOUND_MAX = RECALL_MAX, KNOWN_MAX = 8192 };

const struct lock_source *lock_source_find(const char *name)
{
	for (const struct lock_source *const *s = lock_sources; *s; s++)
		if (!strcmp((*s)->name, name)) return *s;
	return NULL;
}

/* By name: a program that has not allocated yet has a libc already. One that is linked statically shows by its allocator. */
static int has_musl(const struct target *t)
{
	for (size_t i = 0; i < t->maps.n; i++) {
		const char *slash = strrchr(t->maps.map[i].path, '/');
		if (slash && (!strcmp(slash, "/libc.so") || !strncmp(slash, "/ld-musl-", 9))) return 1;
	}
	return 0;
}

/* The locks of all allocators there are. Those whose names do not say whose they are get the allocator's in front. */
static void find_locks(const struct target *t, struct lock_watch *w, struct lock_known **known, struct lock_owner *owner)
{
	struct allocator_found found[FOUND_MAX];
	size_t n = recall_probe(w->o->recall, t, found, FOUND_MAX);

	*known = NULL;
	w->musl = has_musl(t);
	for (size_t i = 0; i < n; i++) {
		struct heap_allocator a = { .name = found[i].kind->name };
		const char *word = found[i].kind->name;
		size_t len = strcspn(word, " ");
		owner[i].allocator = word;
		memcpy(owner[i].object, found[i].owner, sizeof owner[i].object);
		if (!strncmp(word, "musl", 4)) w->musl = 1;
		if (found[i].kind->locks) found[i].kind->locks(t, &found[i], &a);
		for (size_t j = 0; j < a.nlocks && w->nknown < KNOWN_MAX; j++) {
			if (!(w->nknown & (w->nknown - 1))) *known = xreallocarray(*known, w->nknown ? 2 * w->nknown : 1, sizeof **known);
			struct lock_known *k = &(*known)[w->nknown++];
			*k = (struct lock_known){ .allocator = found[i].kind->name, .lock = a.lock[j] };
			if (!strncmp(k->lock.name, word, len)) continue;
			if (snprintf(k->lock.name, sizeof k->lock.name, "%.*s %s", (int)len, word, a.lock[j].name) >= (int)sizeof k->lock.name)
				k->lock.name[sizeof k->lock.name - 1] = 0;
		}
		heap_allocator_free(&a);
	}
	w->known = *known;
	w->owner = owner;
	w->nowners = n;
}

struct run { const struct lock_source *source; const struct lock_watch *w; struct lock_report r; struct err e; int status; pthread_t thread; };

static void *go(void *arg)
{
	struct run *run = arg;

	run->status = run->source->measure(run->w, &run->r, &run->e);
	return NULL;
}

/* The threads end by themselves after the period; the process going, or the user, makes it earlier. */
static double watch(const struct lock_watch *w, const int *interrupt, int *stop, int *exited)
{
	double begin = tally_now(), threads = 0, n = 0;
	struct proc p;
	struct err e;

	for (unsigned turn = 0;; turn++) {
		double left = begin + w->o->period_s - tally_now();
		/* who interrupts is heard soon; the process is looked at more seldom */
		if (turn % 3 == 0 || left <= 0) {
			*exited = proc_read(&p, w->t->pid, &e) || p.start_ticks != w->t->proc.start_ticks || p.state == 'Z' || p.state == 'X';
			if (!*exited) threads += p.threads, n++;
		}
		if (*exited || left <= 0 || (interrupt && __atomic_load_n(interrupt, __ATOMIC_RELAXED))) break;
		tally_sleep(left < 0.1 ? left : 0.1);
	}
	__atomic_store_n(stop, 1, __ATOMIC_RELAXED);
	return n > 0 ? threads / n : 0;
}

static size_t start(struct run *run, const struct lock_watch *w, const struct lock_options *o)
{
	size_t n = 0;

	for (const struct lock_source *const *s = lock_sources; *s && n < SOURCES_MAX; s++) {
		if (o->only && strcmp(o->only, (*s)->name)) continue;
		run[n] = (struct run){ .source = *s, .w = w };
		if (!pthread_create(&run[n].thread, NULL, go, &run[n])) n++;
	}
	return n;
}

int lock_measure(struct target *t, const struct lock_options *o, const int *interrupt, struct lock_report *r, struct err *e)
{
	struct run run[SOURCES_MAX];
	struct lock_owner owner[FOUND_MAX];
	struct lock_known *known;
	int stop = 0, exited = 0, good = 0;
	struct lock_watch w = { .t = t, .o = o, .stop = &stop };

	*r = (struct lock_report){ 0 };
	if (!t->pid) return err_set(e, ERR_UNSUPPORTED, "locks are watched in a live process: a core file holds one moment only");
	if (o->only && !lock_source_find(o->only)) return err_set(e, ERR_USAGE, "no lock source '%s'", o->only);
	find_locks(t, &w, &known, owner);
	w.unwinder = unwind_open(t);
	double begin = tally_now();
	size_t n = start(run, &w, o);
	double threads = watch(&w, interrupt, &stop, &exited);
	r->period_s = tally_now() - begin;
	r->threads = (unsigned)(threads + 0.5);
	for (size_t i = 0; i < n; i++) {
		pthread_join(run[i].thread, NULL);
		r->exited |= run[i].r.exited;
		if (!run[i].status) good++;
		else if (run[i].status < 0 || o->only) tally_notice(&run[i].r, run[i].source->name, LOCK_REFUSED, "%s", run[i].e.text);
		merge(&w, r, &run[i].r);
		lock_report_free(&run[i].r);
	}
	r->exited |= exited;
	merge_done(&w, r);
	unwind_close(w.unwinder);
	free(known);
	if (good) return 0;
	*e = n ? run[0].e : (struct err){ .kind = ERR_FAIL, .text = "no source of lock waits could be started" };
	if (n > 1 && e->kind != ERR_GONE && e->kind != ERR_DENIED) err_set(e, ERR_UNSUPPORTED, "pid %d: no source could watch its locks (%s)", (int)t->pid, run[0].e.text);
	lock_report_free(r);
	return -1;
}
