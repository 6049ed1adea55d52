/* sampler.h: events of all threads of one process, those to come among them: counted exactly, and sampled with registers and stack. An
 * event per thread and processor, as the kernel wants it for threads that inherit; a ring per processor. */
#ifndef ALLOCTOP_SAMPLER_H
#define ALLOCTOP_SAMPLER_H

#include <stddef.h>
#include <sys/types.h>
#include "inspect/perf/event.h"
#include "inspect/perf/perf.h"

struct sampler;

struct sampler_options {
	double hz;                      /* samples per second of each event on each processor, by the kernel's own steering */
	int on_exec;                    /* pid is about to exec, and everything begins then */
};

struct sampler_calls {
	void (*sample)(void *arg, size_t event, const struct perf_sample *s);
	void (*mapped)(void *arg);      /* code has been mapped */
	void (*executed)(void *arg);    /* it is another program now */
	void (*forked)(void *arg);      /* a child process has begun: it is not followed */
	void (*lost)(void *arg, uint64_t n);
	void *arg;
};

/* Nothing counts yet, unless on_exec. Events that this machine has not are marked as refused: that is no failure unless it is all of them.
   -1 with *e: GONE, DENIED, UNSUPPORTED. */
int sampler_open(struct sampler **out, pid_t pid, struct event *event, size_t n, const struct sampler_options *o, struct err *e);
void sampler_close(struct sampler *s);
void sampler_start(struct sampler *s);
void sampler_stop(struct sampler *s);
/* Sleeps until there is something to drain, at most so long. */
void sampler_wait(struct sampler *s, double seconds);
void sampler_drain(struct sampler *s, const struct sampler_calls *calls);
/* Counts so far, into the events. */
void sampler_read(struct sampler *s);

unsigned sampler_threads(const struct sampler *s);      /* that it began with */
unsigned sampler_left_out(const struct sampler *s);     /* for want of descriptors or memory */
int sampler_inherits(const struct sampler *s);          /* 0: threads that begin later are not seen, the kernel is older than 5.13 */

#endif
