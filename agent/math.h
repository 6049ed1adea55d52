/* math.h: the three functions that sampling needs, to better than 1e-9 relative error, without libm. */
#ifndef AGENT_MATH_H
#define AGENT_MATH_H

#include <stdint.h>

/* -ln(u / 2^53) for u in [1, 2^53]. */
static inline double math_neg_log(uint64_t u)
{
	/* u = m * 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m-1)/(m+1)), whose series then converges fast */
	int top = 63 - __builtin_clzll(u);
	double m = (double)u / (double)(1ULL << top);
	int e = top - 53;
	if (m > 1.4142135623730951) { m *= 0.5; e++; }
	static const double odd[] = { 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1 };
	double z = (m - 1) / (m + 1), y = z * z, s = 1.0 / 15;
	for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) s = s * y + odd[i];
	return -(2 * z * s + e * 0.6931471805599453);
}

/* 1 - exp(-x) for x > 0: the chance that a block of x mean gaps is sampled. */
static inline double math_hit(double x)
{
	if (x > 40) return 1;
	/* expm1(-x/2^k) by its series, then doubled k times: expm1(2t) = expm1(t) (expm1(t) + 2) */
	int k = 0;
	while (x > 0.25) { x *= 0.5; k++; }
	static const double part[] = { 1.0 / 8, 1.0 / 7, 1.0 / 6, 1.0 / 5, 1.0 / 4, 1.0 / 3, 1.0 / 2, 1 };
	double s = -x / 9;
	for (unsigned i = 0; i < sizeof part / sizeof *part; i++) s = (1 + s) * -x * part[i];
	while (k--) s = s * (s + 2);
	return -s;
}

/* One step of xorshift64*: 53 random bits, never 0. */
static inline uint64_t math_random(uint64_t *state)
{
	uint64_t x = *state;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (x * 0x2545F4914F6CDD1DULL >> 11) + 1;
}

#endif
