/* snapshot.h: what one agent's segment said at one moment, decoded and checked. Plain data, no I/O; inspect/client fills it.
 * Every index in it has been bounds-checked: site < nsites, thread < nthreads, frames inside pc[]. */
#ifndef ALLOCTOP_SNAPSHOT_H
#define ALLOCTOP_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "agent/wire.h"
#include "inspect/symbol/symbol.h"

struct snap_site {
	const uint64_t *pc;             /* return addresses, innermost first */
	unsigned depth, cut;            /* cut: 0, or 1 + enum wire_loss */
	uint64_t samples, freed_samples, remote_samples;
	double alloc_bytes, alloc_objects, alloc_variance;      /* variance in bytes squared */
	double freed_bytes, freed_objects, remote_bytes;
	uint32_t lifetime[WIRE_LIFETIMES];
	double timed, waits, wait_s;    /* timed calls, those that waited or spun, what that cost; scaled to all calls */
	/* gathered from the live records */
	uint64_t live_samples;
	double live_bytes, live_objects, live_variance;         /* variance of live_bytes */
	double live_rounding;           /* what the allocator gave beyond that; 0 unless somebody who knows its classes filled it in */
};

/* Timed calls of one kind and size class, scaled to all calls of the time while timing was on. Seconds. */
struct snap_timing {
	enum wire_op op;
	unsigned class;
	uint64_t samples;
	double calls, total_s, usual_s, p50_s, p90_s, p99_s, max_s;
	double waits, wait_s;           /* for a lock, asleep */
	double spins, spin_s;           /* eight times the usual and more, awake: see wire.h */
	double fault_s, preempted_s;    /* page faults; other threads on the processor */
	double variance;                /* of total_s, of the sampling; see timing.h */
	double bucket[WIRE_TIMING_BUCKETS], tick_s;     /* calls by how long they took: 2^b ticks and more */
};

struct snap_live { uint64_t addr, size; double weight, variance, age_s; uint32_t site, thread; };

struct snap_thread {
	uint32_t tid;                   /* 0: the gathered rest, or ended */
	double start_s;                 /* seconds after the agent's start */
	uint64_t allocs, alloc_bytes, frees, samples;
	char name[17];
};

struct snap_class { double alloc_bytes, alloc_objects, freed_bytes, freed_objects, live_bytes, live_objects; };

struct snapshot {
	pid_t pid;                      /* as seen from here; 0 when read from a file without a live process */
	pid_t inner_pid, forked_from;
	uint32_t flags, epoch;          /* enum wire_flag */
	uint64_t rate;
	int running;
	double age_s;                   /* since the agent (or the fork) began */
	uint64_t realtime_ns;           /* wall clock of the moment this was taken */
	double ticks_per_s;             /* 0 when it could not be known: then ages are 0 too */
	uint64_t loss[WIRE_LOSSES];
	char notices[WIRE_NOTICES];
	struct symbol_module *module; size_t nmodules;          /* build id and path as recorded; paths owned here */
	struct snap_site *site; size_t nsites;
	struct snap_live *live; size_t nlive;
	struct snap_thread *thread; size_t nthreads;
	struct snap_timing *timing; size_t ntimings;            /* by kind, then class; empty when none was asked for */
	int timing_on;
	struct snap_class class[WIRE_CLASSES];
	struct snap_class exact[WIRE_CLASSES];                  /* summed over threads; zeros unless WIRE_EXACT_ON: bytes usable */
	double live_bytes, live_objects, live_variance, alloc_bytes, alloc_objects;
	uint64_t torn;                  /* records skipped because they changed while being read */
	uint64_t bad;                   /* records skipped because they made no sense */
	void *storage;                  /* what snapshot_free frees beside the arrays */
};

void snapshot_free(struct snapshot *s);

/* Adds everything of a site but its stack. */
void snapshot_site_add(struct snap_site *to, const struct snap_site *s);

/* Name and one-line meaning of an enum wire_loss; NULL past the last. */
const char *snapshot_loss_name(unsigned loss);
const char *snapshot_loss_text(unsigned loss);

/* Median lifetime of a site's freed samples in seconds, -1 when none were freed or the clock is unknown. */
double snapshot_median_lifetime(const struct snapshot *s, const struct snap_site *site);

#endif
