/* perf.h: events of single threads through perf_event_open: opening, the ring of records, the registers and the copied stack in them.
 * Knows nothing of what is measured. */
#ifndef ALLOCTOP_PERF_H
#define ALLOCTOP_PERF_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "inspect/perf/unwind.h"

struct err;

enum { PERF_STACK = 8 << 10 };

struct perf_ring { struct perf_event_mmap_page *page; size_t size; uint8_t *record; /* room for one that wraps around */ };

/* One record, taken apart: what its event was asked for. */
struct perf_sample {
	uint64_t id, time_ns;
	pid_t pid, tid;
	uint64_t ip, addr, period;      /* where it was, of what (a page fault's address), and how many events it stands for */
	int kernel;                     /* ip is in the kernel, which works for the user's registers below */
	const uint8_t *raw; size_t nraw;
	int has_args;
	uint64_t arg[3];                /* of the system call that it is in */
	int has_regs;
	struct unwind_sample user;      /* its stack points into the ring's memory: valid until the callback returns */
};

struct perf_reader {
	void (*sample)(void *arg, const struct perf_sample *s);
	void (*lost)(void *arg, uint64_t n);
	void *arg;
	/* may be NULL: all other records, header included */
	void (*record)(void *arg, const struct perf_event_header *h, const uint8_t *record);
};

/* What all our events have in common; PERF_STACKS adds registers and stack, PERF_ARGS a system call's first arguments
   alone, PERF_WHERE ip, addr and period. */
enum { PERF_PLAIN = 0, PERF_STACKS = 1, PERF_RAW = 2, PERF_ARGS = 4, PERF_WHERE = 8 };
void perf_attr(struct perf_event_attr *a, unsigned flags);
/* A descriptor, -1 with errno. */
int perf_open(struct perf_event_attr *a, pid_t tid);
/* Only while it runs on this processor. */
int perf_open_on(struct perf_event_attr *a, pid_t tid, int cpu);
uint64_t perf_id(int fd);
/* pages: a power of two. 0 or -1 with errno. */
int perf_map(struct perf_ring *r, int fd, size_t pages);
void perf_unmap(struct perf_ring *r);
/* Calls back for all records there are. flags: as the events of this ring, by id. */
void perf_drain(struct perf_ring *r, unsigned (*flags_of)(void *arg, uint64_t id), const struct perf_reader *reader);

/* -1 with *e in words fit for a notice. */
int perf_error(struct err *e, int sys, const char *what);
/* As many descriptors as the system allows us. Returns how many that is. */
size_t perf_descriptors(void);

#endif
