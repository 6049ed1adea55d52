/* lock.h: how the waiting for locks is seen from outside. One source = one file with one const struct lock_source, and a row in locks.c;
 * the best one that is permitted measures, all are named with what a better one would need. */
#ifndef ALLOCTOP_LOCK_H
#define ALLOCTOP_LOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "inspect/model/heap.h"

struct err;
struct target;

#define LOCK_UNKNOWN (-1.0)     /* a figure that this source cannot know; never shown as zero */

struct lock_stack {
	const uint64_t *pc;     /* innermost first: the instruction's own address, or return addresses above */
	unsigned depth;
	double waits;           /* how often, scaled to the whole period */
	double lost_s;          /* thread-seconds waited, LOCK_UNKNOWN if only counted */
};

struct lock_waiter { pid_t tid; char name[16]; double waits, lost_s, share; };

/* One lock over the period. */
struct lock_row {
	char allocator[24];     /* "" : not the allocator's */
	char name[56];          /* "musl malloc lock", "glibc arena 3", "futex 0x…" */
	uint64_t addr;
	double utilisation;     /* share of samples in which it was held */
	double mean_inside;     /* threads inside, holder included */
	double contended;       /* share of samples with two or more */
	double waits_per_s;
	double lost_s_per_s;    /* thread-seconds of waiting per second */
	double eagain;          /* share of futex waits that returned at once */
	double error;           /* standard error of utilisation or, where that is unknown, of lost_s_per_s */
	const char *source;     /* which source said so */
	struct lock_stack *stack; size_t nstacks;       /* most expensive first */
	struct lock_waiter *waiter; size_t nwaiters;
};

struct lock_notice { char source[24]; char text[200]; };        /* "futex trace": "not permitted: needs CAP_PERFMON or root" */

struct lock_report {
	double period_s;
	unsigned threads;       /* of the process, mean */
	struct lock_row *row; size_t nrows;             /* allocator locks first, most lost first; then the others */
	struct lock_notice notice[8]; size_t nnotices;  /* what was used, what was not and why, what was lost */
	double allocator_lost, all_lost;                /* thread-seconds per second */
	double pause_median_us, pause_max_us; unsigned pauses;  /* stops of threads for unwinding */
};

struct lock_options { double period_s, rate_hz; int no_stop; const char *only; /* source by name, NULL: the best */ };

struct lock_source {
	const char *name;
	const char *needs;      /* what it takes to be permitted, for the notice */
	/* Measures for o->period_s and merges into *r what it knows better. -1 with *e when it cannot: the next one is taken. */
	int (*measure)(struct target *t, const struct heap_lock *lock, size_t nlocks, const struct lock_options *o, struct lock_report *r, struct err *e);
};

extern const struct lock_source *const lock_sources[];  /* best first; ends with NULL */

/* Finds the allocators' locks, runs the sources side by side, merges. 0, or -1 with *e. */
int lock_measure(struct target *t, const struct lock_options *o, struct lock_report *r, struct err *e);
void lock_report_free(struct lock_report *r);

#endif
