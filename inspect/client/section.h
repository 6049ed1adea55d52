/* section.h: one pass over a segment, shared by segment.c, section.c, live.c and site.c, and by nobody else. Records are read
 * before the records that they refer to (live, then sites, then frames; live, then threads), and how far a section is used is read
 * right before the section: so that nothing refers to what was not yet there. */
#ifndef ALLOCTOP_SECTION_H
#define ALLOCTOP_SECTION_H

#include <stddef.h>
#include "inspect/client/segment.h"

struct reading {
	const struct segment *seg;
	struct wire_header head;        /* as it was when the pass began */
	uint64_t limit;                 /* bytes that are there and that the header admits to */
	uint32_t epoch;
	uint64_t bad, torn;             /* as in struct snapshot */
};

/* Where the entries of a kind stand now and how many of them are in use (at most `most`, and what the section, the segment and a
   bound for each kind allow; the rest is counted in r->bad). 0 entries when there is no such section. -1: no sense in it, or unreadable. */
int section_find(struct reading *r, enum wire_kind kind, size_t entry, size_t most, uint64_t *addr, size_t *n, struct err *e);
/* The same, and copies them. free(*out), never NULL on success. */
int section_load(struct reading *r, enum wire_kind kind, size_t entry, size_t most, void **out, size_t *n, struct err *e);

/* The live records of this epoch that stood still while they were copied; site and thread not checked yet. free(*out). */
int live_load(struct reading *r, struct wire_live **out, size_t *n, struct err *e);
/* Fills out->site (at least one), out->storage. A site keeps its index, so that two snapshots of one agent can be compared. alias[i],
   of *n: the site that site i's samples are counted in: itself, an equal one, or 0 when it has no usable stack. free(*alias). */
int site_load(struct reading *r, struct snapshot *out, uint32_t **alias, size_t *n, struct err *e);

/* Fills out->timing; out->ticks_per_s is known already. */
struct snapshot;
int timing_decode(struct reading *r, struct snapshot *out, struct err *e);

#endif
