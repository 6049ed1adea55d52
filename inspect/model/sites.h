/* sites.h: a snapshot as rows for people: one per function that allocates and its caller, with everything known of it. They are
 * shown through the columns of columns.h. No I/O besides what the symbolizer does. */
#ifndef ALLOCTOP_SITES_H
#define ALLOCTOP_SITES_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/model/snapshot.h"

struct site_name;
struct site_names;

struct site_row {
	const char *function, *caller;  /* as in site_names.h, which owns them */
	struct site_name *name;
	struct snap_site total; /* sums over its call stacks; pc, depth, cut of the one with the most live bytes */
	unsigned stacks;        /* call stacks gathered here: those that would read the same */
	double bytes_per_s, objects_per_s;      /* allocated; -1: unknown, also where no sample was taken in the time that it is told by */
	uint64_t rate_samples;  /* so many samples tell it */
	double life_s;          /* median of those freed, -1: none or unknown */
};

struct sites {
	struct site_row *row;   /* by live bytes, largest first */
	size_t n;
	double live_bytes;      /* of all rows */
	double bytes_per_s, objects_per_s;      /* of all; -1: unknown */
	double rate_error;      /* standard error of bytes_per_s, of what was sampled: 0 where nothing was */
	double interval_s;      /* the rates are of this long; 0: since the agent began */
};

/* Rows of `now`. Rates: against `before`, an earlier snapshot of the same agent, `interval_s` ago; NULL: average since the agent
   began (unknown after a reset). None while it is stopped. Free with sites_free, before the names. */
void sites_make(struct sites *out, const struct snapshot *now, const struct snapshot *before, double interval_s, struct site_names *names);
/* Rows whose rate few samples tell, or none, get it from a longer time: against `before`, `seconds` ago. What is known of all stays. */
void sites_look_back(struct sites *s, const struct snapshot *now, const struct snapshot *before, double seconds, struct site_names *names);
void sites_free(struct sites *s);

#endif
