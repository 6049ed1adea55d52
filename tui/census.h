/* census.h: all processes, read in a thread. What is dear, whose malloc it is and what it holds, is looked at a little at a time, kept, and
 * takes a few percent of a core at most. */
#ifndef ALLOCTOP_CENSUS_H
#define ALLOCTOP_CENSUS_H

struct err;
struct feed;

/* whole: the first state waits until every process was looked at once. */
int census_open(double delay_s, int whole, struct feed **out, struct err *e);

#endif
