/* retained.h: from when on memory that could be given back is worth a finding: the rules about retained memory agree on it. */
#ifndef ALLOCTOP_RETAINED_H
#define ALLOCTOP_RETAINED_H

#include <math.h>
#include "inspect/verdict/facts.h"

/* Allocators keep some on purpose: glibc up to 64 MiB at its top at most, tcmalloc 32 MiB in thread caches, jemalloc what was freed in the
   last seconds. Below that nobody gains by a setting. */
#define RETAINED_BYTES (32.0 * (1 << 20))
/* Of the resident memory: less than a fifth does not change how many of a service fit on a machine. */
#define RETAINED_SHARE 0.2
#define RETAINED_WORDS "at least 32 MiB and a fifth of the resident memory"

static inline int retained_matters(const struct facts *f, double bytes)
{
	return !isnan(bytes) && !isnan(f->rss) && bytes >= RETAINED_BYTES && bytes >= RETAINED_SHARE * f->rss;
}

/* In percent of the resident memory. */
static inline double retained_percent(const struct facts *f, double bytes) { return f->rss > 0 ? 100 * bytes / f->rss : 0; }

#endif
