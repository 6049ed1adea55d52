/* pressure.h: what the waiting for some of an allocator's locks costs together. For use by the rules. */
#ifndef ALLOCTOP_PRESSURE_H
#define ALLOCTOP_PRESSURE_H

#include <stddef.h>

struct facts;
struct facts_lock;
struct finding;

/* Sums over the locks; NAN what no source could know of any of them. */
struct pressure {
	double lost, waits;             /* thread-seconds, calls, per second */
	double held;                    /* processors' time inside: the sum of the locks' utilisations */
	double contended;               /* of one lock, the highest: share of looks that found somebody waiting */
	size_t nlocks;
	const struct facts_lock *worst; /* the one that most is lost at; NULL: none */
};

/* Those of the allocator whose names begin so ("" for all): "jemalloc", "jemalloc arena". */
void pressure_of(const struct facts *f, const char *allocator, const char *name, struct pressure *out);
/* "0.40 thread-seconds per second, 12.3k waits per second": what is known of it. Returns buf. */
char *pressure_text(const struct pressure *p, char *buf, size_t n);
/* The stacks of the worst one, three at most. */
void pressure_from(const struct pressure *p, struct finding *f);

#endif
