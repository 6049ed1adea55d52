/* lock.h: how the waiting for locks is seen from outside. One source = one file with one const struct lock_source, and a row in locks.c.
 * All permitted sources measure at the same time, each in a thread of its own; of every figure the best one's word is kept, and all are
 * named with what a better one would need. Nothing is left attached to a target. */
#ifndef ALLOCTOP_LOCK_H
#define ALLOCTOP_LOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "inspect/model/heap.h"

struct err;
struct target;

#define LOCK_UNKNOWN (-1.0)     /* a figure that no source could know; never shown as zero */

enum { LOCK_DEPTH_MAX = 64 };

/* value and its standard error, both LOCK_UNKNOWN where they cannot be had; source NULL when nobody knows. */
struct lock_figure { double value, error; const char *source; };

struct lock_stack {
	uint64_t *pc;           /* innermost first: the instruction's own address, then return addresses */
	unsigned depth;
	unsigned scanned;       /* so many frames from the innermost on were found by scanning the stack: code without unwind information */
	double waits;           /* how often, scaled to the whole period */
	double lost_s;          /* thread-seconds waited in the period, LOCK_UNKNOWN if only counted */
};

struct lock_waiter { pid_t tid; char name[16]; double waits, lost_s, share; };

/* What a futex that is no known lock is waited on for, as far as operation and value tell. */
enum lock_use { LOCK_USE_LOCK, LOCK_USE_EVENT /* a condition, a semaphore, the end of a thread: idling, not losing */ };

/* One lock over the period. */
struct lock_row {
	char allocator[24];     /* "" : not the allocator's */
	char name[56];          /* "musl malloc lock", "glibc arena 3", "futex 0x…" */
	uint64_t addr;
	enum heap_lock_kind kind;       /* of an allocator's lock */
	enum lock_use use;
	struct lock_figure utilisation;         /* share of samples in which it was held */
	struct lock_figure mean_inside;         /* threads inside, holder included */
	struct lock_figure contended;           /* share of samples with two or more inside */
	struct lock_figure waits_per_s;         /* calls that wait, in the kernel; jemalloc: by its own count */
	struct lock_figure lost_s_per_s;        /* thread-seconds of waiting per second */
	struct lock_figure cpu_s_per_s;         /* processor-seconds per second spent in futex calls on it, waking others included */
	/* Thread-seconds per second beside the waiting, the time that those threads wait for a processor included: in calls that wake others, and around
	   the calls, before a thread counts as waiting. */
	struct lock_figure wake_s_per_s, spin_s_per_s;
	struct lock_figure eagain;              /* share of waiting calls that returned at once */
	struct lock_stack *stack; size_t nstacks;       /* most expensive first */
	const char *stack_source; unsigned stack_samples;
	struct lock_waiter *waiter; size_t nwaiters;    /* likewise */
	unsigned waiter_samples;
};

/* Timed calls of the allocator, of one kind and size class. Thread-seconds per second: of all calls, estimated from the timed ones. */
struct lock_call {
	const char *op;                 /* malloc, calloc, realloc, free */
	uint64_t size_min, size_max;    /* bytes asked for; 0 and UINT64_MAX: all sizes together */
	uint64_t samples;
	double calls_per_s;
	double p50_s, p90_s, p99_s, max_s;      /* of one call */
	double total, wait, slow, fault, preempted, plain;      /* `wait`: asleep, `slow`: awake, eight times the usual and more: spinning, or in the kernel */
	double error;                   /* standard error of total, and the most that of a part can be */
};

/* What an agent in the process timed; source NULL: nobody did. Of no lock in particular. */
struct lock_calls {
	const char *source;
	double period_s, one_in;        /* one call in so many was timed, on average */
	uint64_t samples;
	struct lock_call *row; size_t nrows;            /* by kind, all sizes first, then the classes that cost most */
	struct lock_stack *stack; size_t nstacks;       /* of calls that waited or were slow: their callers; most expensive first */
};

enum lock_state { LOCK_USED, LOCK_LIMITED /* used, and something was lost or left out */, LOCK_REFUSED };
struct lock_notice { const char *source; enum lock_state state; char text[240]; };

struct lock_report {
	double period_s;        /* as it was: shorter when the target exited */
	unsigned threads;       /* of the process, mean */
	int exited;
	struct lock_row *row; size_t nrows;     /* allocator locks first, most lost first; then the others */
	struct lock_notice notice[12]; size_t nnotices;
	double allocator_lost, all_lost;        /* thread-seconds per second: sums over what is a lock; LOCK_UNKNOWN if nothing could tell */
	double allocator_error;
	struct lock_figure waking, spinning;                    /* of the allocators' locks, likewise summed; source NULL: unknown */
	double cost, cost_error;        /* all three; without those that are unknown. LOCK_UNKNOWN when the first is */
	double delay_factor;            /* thread-seconds for each processor-second of the process: more than 1 where threads wait for processors. 0: unknown */
	struct lock_calls calls;
	double pause_median_us, pause_max_us; unsigned pauses;  /* stops of threads for unwinding */
};

/* `only`: one source by name, NULL: all that are permitted. no_agent: an agent is not told to time calls. core_share: what each source may take
   of a core at most, which makes its samples fewer and its errors larger; 0: what it takes by itself. recall: of this process, see recall.h; NULL. */
struct recall;
struct lock_options { double period_s, rate_hz, core_share; int no_stop, no_agent; const char *only; struct recall *recall; };

/* A lock to watch; the allocator that it belongs to. */
struct lock_known { const char *allocator; struct heap_lock lock; };

/* An allocator that was found, and the object it lives in (base name). */
struct lock_owner { const char *allocator; char object[64]; };

/* What a source gets. Shared between sources that run at the same time: read only, but for the unwinder, which looks after itself. */
struct lock_watch {
	const struct target *t;
	const struct lock_known *known; size_t nknown;
	const struct lock_owner *owner; size_t nowners;
	const struct lock_options *o;
	struct unwinder *unwinder;
	int musl;               /* the process has musl's libc: what futex values mean differs */
	const int *stop;        /* not zero: the target is gone, or the user has had enough */
};

struct lock_source {
	const char *name;
	const char *needs;      /* what it takes to be permitted */
	/* Into a report of its own, zeroed. 0, or -1 with *e; 1 with *e: there is nothing here for it to see, and nothing to complain of. */
	int (*measure)(const struct lock_watch *w, struct lock_report *r, struct err *e);
};

extern const struct lock_source *const lock_sources[];  /* ends with NULL */
const struct lock_source *lock_source_find(const char *name);

/* Finds the allocators' locks, runs the sources side by side for o->period_s, merges. 0, or -1 with *e when no source could measure.
   *interrupt (may be NULL) ends it early when it becomes non-zero: the report is of the time until then. */
int lock_measure(struct target *t, const struct lock_options *o, const int *interrupt, struct lock_report *r, struct err *e);
void lock_report_free(struct lock_report *r);

/* The report as a profile in pprof's terms: contentions/count and delay/nanoseconds, labelled with the lock. NULL never. */
struct profile;
struct symbolizer;
struct profile *lock_profile(const struct lock_report *r, const struct target *t, struct symbolizer *s, const char *program);

#endif
