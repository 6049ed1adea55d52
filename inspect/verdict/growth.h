/* growth.h: what grew during the watch, and whether that is more than noise: told once for the rules that must not be taken for one another, leak,
 * retention and memory that is not malloc's. */
#ifndef ALLOCTOP_GROWTH_H
#define ALLOCTOP_GROWTH_H

#include "inspect/verdict/trend.h"

struct facts;
struct facts_site;

/* Thresholds, for the rules' words. */
#define GROWTH_P 0.01           /* significance of the trend */
#define GROWTH_POINTS 6         /* points it must rest on */
#define GROWTH_NOISE 3.0        /* rise over the spread around the line */
#define GROWTH_LATE 0.3         /* slope of the second half over that of the whole: what fills up flattens */
#define GROWTH_BYTES (256 << 10)
#define GROWTH_SHARE 0.005      /* of what there is */

struct growth_line {
	struct trend trend;     /* bytes over seconds */
	double rise;            /* slope times the watch; difference of the ends where there were few points; NAN unknown */
	double level;           /* at the end */
	int steady;             /* it grows, by all of the thresholds */
};

struct growth {
	struct growth_line rss, live, held;     /* held: free or cached, resident */
	double other_rise;      /* of resident memory, neither live nor held; NAN unknown */
	int tested;             /* the watch was long enough for any of this */
};

void growth_of(const struct facts *f, struct growth *g);
struct finding;
/* Who touched new memory first meanwhile, by page faults: lines of the finding, and how much of it was growth. That is who makes resident memory
   grow, and not who keeps live memory: freed blocks are used again without a fault, by whomever. `part`: FINDING_FROM, FINDING_EVIDENCE. */
void growth_from_faults(const struct facts *f, const struct growth *g, unsigned part, struct finding *x);
/* Of one site, over the moments. */
void growth_of_site(const struct facts *f, const struct facts_site *s, struct growth_line *out);

#endif
