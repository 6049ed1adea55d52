/* segment.h: decodes a segment (wire.h) into a snapshot, wherever its bytes are. For use by agent.c, tests and fuzzing.
 *
 * The bytes are always copied out through struct mem, never mapped: a target that shrinks its segment cannot raise SIGBUS here,
 * and reading a hole of a memfd makes no page of it resident. */
#ifndef ALLOCTOP_SEGMENT_H
#define ALLOCTOP_SEGMENT_H

#include <stdint.h>
#include "agent/wire.h"

struct err;
struct mem;
struct snapshot;

struct segment {
	struct mem *mem;
	uint64_t base;                  /* address of the segment in mem */
	uint64_t size;                  /* bytes that are there at most, whatever the header says */
	const char *name;               /* for messages: "pid 412", a file's name */
};

/* The moment of reading, for a segment whose process lives on this machine. */
struct segment_now {
	uint64_t ticks;                 /* 0: this build cannot read the counter */
	uint64_t monotonic_ns;          /* 0: not comparable with the target's (another time namespace) */
	uint64_t realtime_ns;
};

/* Reads and checks the header alone. UNSUPPORTED for another version; FAIL when it is no segment. */
int segment_header(const struct segment *g, struct wire_header *h, struct err *e);
/* now NULL: the process is not running any more (or not here): the moment is the segment's last. */
int segment_decode(const struct segment *g, const struct segment_now *now, struct snapshot *out, struct err *e);

#endif
