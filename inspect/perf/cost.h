/* cost.h: what a process spends inside its allocators: events sampled over all its threads, each sample's stack looked through for a
 * frame of an allocator. What the kernel does for the allocator (a page fault in malloc, madvise, futex) counts with the frame that caused
 * it. A program that is exchanged for another by exec is followed. */
#ifndef ALLOCTOP_COST_H
#define ALLOCTOP_COST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "inspect/perf/event.h"

struct code;
struct err;
struct profile;
struct sampler;
struct symbolizer;
struct target;
struct unwinder;

enum { COST_DEPTH = 127, COST_IMAGES = 32 };

struct cost_options {
	const char *events;             /* NULL: a choice of what this machine has */
	double hz;                      /* 0: a rate that does not disturb */
	int all_stacks;                 /* keep those outside the allocators, too */
	int no_inlines;
	int huge;                       /* page faults: ask which of them brought a huge page */
	int on_exec;                    /* the process is about to exec, and everything begins then */
};

struct cost_stack {
	uint64_t *pc;                   /* innermost first: the instruction's own address, then return addresses */
	uint16_t depth;
	uint16_t inside;                /* so many frames, from the innermost on, up to the outermost of an allocator; 0: none */
	uint16_t image;
	uint8_t kernel;                 /* the kernel was at work */
	double weight[EVENTS_MAX];      /* events that its samples stand for */
	double samples[EVENTS_MAX];
	double huge;                    /* of the page faults: those that brought a huge page; by weight */
};

/* One program that the process was: its symbols and, while it lived, its state. */
struct cost_image {
	struct target *target;          /* NULL: it ended before it could be looked at */
	struct symbolizer *symbols;
	struct unwinder *unwinder;
	struct code *code;
	int stale;                      /* code was mapped since */
	double again_s;                 /* not to be looked at anew before, as that is dear */
};

/* Of one event, all samples; by weight. */
struct cost_sum { double weight, inside, kernel, unknown, samples, samples_inside, square, square_inside; };

struct cost {
	pid_t pid, inner_pid;           /* see proc.h */
	struct cost_options o;
	struct event event[EVENTS_MAX]; size_t nevents;
	struct cost_sum sum[EVENTS_MAX];
	struct cost_image image[COST_IMAGES]; size_t nimages;
	struct cost_stack *stack; size_t nstacks;
	uint32_t *slot; size_t nslots;  /* of the stacks, by their contents */
	struct sampler *sampler;
	int huge;                       /* see huge.h; -1: not asked, or not to be had */
	char program[64];               /* fit for a file name and a terminal */
	unsigned threads, threads_max, left_out, forks;
	int inherits, exited;
	char why[512];                  /* a program could not be looked at */
	double begin_s, period_s;
	double lost, dropped;           /* samples: of the kernel's ring, of our table */
};

/* -1 with *e: GONE, DENIED, UNSUPPORTED, USAGE. */
int cost_open(struct cost **out, pid_t pid, const struct cost_options *o, struct err *e);
void cost_close(struct cost *c);
void cost_begin(struct cost *c);
/* Gathers for about so long. Returns 0 when the process is gone. */
int cost_step(struct cost *c, double seconds);
void cost_end(struct cost *c);

/* Begins, steps until the time is over (0: until the process ends), or *interrupt says stop; ends. */
void cost_measure(struct cost *c, double seconds, const int *interrupt);

/* Share of an event inside the allocators and its standard error; -1 where there is nothing to tell it from. */
double cost_share(const struct cost *c, size_t event, double *error);
/* Of the events counted, so many. -1: unknown. */
double cost_inside(const struct cost *c, size_t event);
/* The event to sort by: the first that was counted; -1 when none was. */
int cost_main_event(const struct cost *c);

/* Rows for people. */
struct cost_row { char *function, *caller; double weight[EVENTS_MAX], kernel[EVENTS_MAX]; };
struct cost_rows { struct cost_row *row; size_t n; };
/* Time in the allocators by the allocator's innermost function that has a name; by the program's function that called, and its caller.
   Largest of `event` first. */
void cost_functions(const struct cost *c, size_t event, struct cost_rows *out);
void cost_callers(const struct cost *c, size_t event, struct cost_rows *out);
void cost_rows_free(struct cost_rows *r);

/* As profiles in pprof's terms. cpu: samples/count, cpu/nanoseconds, inside the allocators. growth: faults/count, growth/bytes, all of the
   program. Of a measurement with a clock, with page-faults, as its first event. */
struct profile *cost_profile_cpu(const struct cost *c, int raw);
struct profile *cost_profile_growth(const struct cost *c, int raw);

#endif
