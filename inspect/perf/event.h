/* event.h: what the kernel can count, by the names that perf has for it (libpfm4 knows them, and the processor's own). */
#ifndef ALLOCTOP_EVENT_H
#define ALLOCTOP_EVENT_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum { EVENTS_MAX = 16 };

struct event {
	char name[48];                  /* as it was asked for */
	struct perf_event_attr attr;    /* what it is, and which of user and kernel; nothing of how it is sampled */
	int hardware;                   /* counted by the processor: not every machine lets us */
	int refused;                    /* out of sampler_open: errno, it is not counted */
	int user_only;                  /* likewise: what the kernel does may not be seen */
	double count;                   /* out of sampler_read; nanoseconds of a clock */
	double counted;                 /* share of the time that it had a counter: count is scaled up by it */
};

/* "cycles,page-faults:u". Returns how many, -1 with *e (USAGE). */
int event_parse(const char *names, struct event *out, struct err *e);
/* Counts nanoseconds on a processor? */
int event_is_clock(const struct event *ev);

#endif
