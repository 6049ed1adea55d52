/* span.h: the snapshots of an agent that rates are told by: the newest, and one long enough before it. A second alone often has no sample
 * in it of a program that allocates a megabyte a second: as long as there are few, the span grows. One thread. */
#ifndef ALLOCTOP_SPAN_H
#define ALLOCTOP_SPAN_H

#include "inspect/model/snapshot.h"

struct moment { struct snapshot snap; double at, samples; int taken; };

struct span {
	struct moment now;
	struct moment next, since;      /* without their live blocks: what rates will be against, what they are against */
	struct moment far_next, far;    /* likewise, of those that few samples tell */
};

/* The snapshot is the span's from then on. least_s: what is nearer is no interval of its own. */
void span_take(struct span *s, const struct snapshot *snap, double at, double least_s);
/* What rates are against; NULL: nothing yet. */
const struct moment *span_since(const struct span *s);
/* And from half a minute to a minute ago, or what there is of that; NULL: nothing that is older than the other. */
const struct moment *span_far(const struct span *s);
void span_forget(struct span *s);

#endif
