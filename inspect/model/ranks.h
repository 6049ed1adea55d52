/* ranks.h: few measurements, said honestly: their middle and spread, and whether two series of them differ. Nothing is assumed about how
 * they are distributed. NAN is a measurement that is not known: it is left out. No I/O. */
#ifndef ALLOCTOP_RANKS_H
#define ALLOCTOP_RANKS_H

struct ranks_spread {
	unsigned n;                     /* of those known; 0: all the rest is NAN */
	double median, q1, q3;          /* quartiles between two measurements as R's type 7 and numpy have it */
	double mad;                     /* median absolute deviation from the median, not scaled */
	double min, max;
};

struct ranks_spread ranks_spread(const double *v, unsigned n);

/* Mann and Whitney's test, two-sided: how often series without any difference would look at least as different as these. Exact, ties
   included, up to RANKS_EXACT measurements together; beyond that the normal approximation, corrected for ties. NAN when a side is empty. */
enum { RANKS_EXACT = 40 };
double ranks_p(const double *a, unsigned na, const double *b, unsigned nb);
/* The least that so many measurements can give, however different they are: 0.1 for three and three. */
double ranks_p_least(unsigned na, unsigned nb);

#endif
