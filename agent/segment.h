/* segment.h: the segment (wire.h) as the agent holds it: where each section lies, and the private memory that goes with it. Owns the
 * mapping and its descriptor. Opened once by life.c, and again in a forked child. */
#ifndef AGENT_SEGMENT_H
#define AGENT_SEGMENT_H

#include "cc.h"
#include "index.h"
#include "wire.h"

struct segment {
	struct wire_header *head;
	struct wire_module *modules;
	uint64_t *frames;
	struct wire_site *sites;
	struct wire_live *live;
	struct wire_thread *threads;
	struct wire_class *classes;
	struct wire_timing *timing;             /* WIRE_CLASSES per enum wire_op */
	struct wire_exact *exact;               /* WIRE_CLASSES per thread; NULL unless asked for */
	uint32_t modules_max, frames_max, sites_max, live_max, threads_max;
	struct index live_index, site_index;    /* address -> live record, stack -> site */
	uint64_t live_free;                     /* head of the list of emptied live records, see live.c */
	uint32_t live_used, sites_used, frames_used, threads_used;
	int fd;                                 /* -1: none */
	uint64_t inode;                         /* of fd, to tell it from a descriptor that the program opened in its place */
};

extern struct segment segment;

/* Makes the segment. 0, or -1 when there is no memory for even the smallest one. `notices` as in settings.h, copied into the header.
   Sends no signal, whatever the limits (RLIMIT_FSIZE, RLIMIT_AS, RLIMIT_NOFILE) are. */
int segment_open(const char *notices);
/* In a forked child: a new, empty segment in private memory, in the place of the old one. At the same addresses, because the fork may
   have come from a signal handler: what it interrupted goes on in the child, and may still write to a record. -1: no memory. */
int segment_renew(void);
/* Gives back what is reserved beyond twice of what is used and some; from then on segment_renew finds no memory. Once: -1 afterwards. The
   room that stays is what a thread that has just looked at the old end may still claim. */
int segment_trim(void);
/* Addresses that the tables took when they were made; 0 before. */
uint64_t segment_reserved(void);
/* Puts the loaded objects that modules.h knows into the segment. */
void segment_modules(void);
/* The descriptor, if the program has not closed it; else -1. */
int segment_descriptor(void);

static ALWAYS_INLINE void segment_lost(enum wire_loss why)
{
	ADD(segment.head->loss[why], 1);
}

/* The section's entry in the header, to publish how far it is used. */
void segment_publish(enum wire_kind kind, uint32_t used);

#endif
