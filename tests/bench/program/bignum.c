/* bignum: the continued fraction of a square root in exact arithmetic, after the programs that factor with it: every result is a new
 * number in a block of its own, most live for one or two operations, sizes grow from a few bytes to some hundred. A few numbers of each
 * size stay, without which musl's allocator would map and unmap a whole group for each block. The default is as dense in allocations
 * as cfrac is: some 39 ns for each block.
 * usage: bignum [terms [rounds]] */
#include "bench.h"

enum { KEPT = 128 };

struct num { uint32_t limbs, limb[]; };         /* little-endian, no leading zero limb; zero has no limb */

static NOINLINE struct num *num_new(uint32_t limbs)
{
	struct num *n = malloc(sizeof *n + limbs * sizeof *n->limb);

	if (!n) abort();
	n->limbs = limbs;
	return n;
}

static struct num *num_trim(struct num *n)
{
	while (n->limbs && !n->limb[n->limbs - 1]) n->limbs--;
	return n;
}

static struct num *num_of(uint32_t v)
{
	struct num *n = num_new(1);

	n->limb[0] = v;
	return num_trim(n);
}

static NOINLINE struct num *num_add(const struct num *a, const struct num *b)
{
	if (a->limbs < b->limbs) return num_add(b, a);
	struct num *n = num_new(a->limbs + 1);
	uint64_t carry = 0;

	for (uint32_t i = 0; i < a->limbs; i++) {
		carry += (uint64_t)a->limb[i] + (i < b->limbs ? b->limb[i] : 0);
		n->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	n->limb[a->limbs] = (uint32_t)carry;
	return num_trim(n);
}

static NOINLINE struct num *num_scale(const struct num *a, uint32_t k)
{
	struct num *n = num_new(a->limbs + 1);
	uint64_t carry = 0;

	for (uint32_t i = 0; i < a->limbs; i++) {
		carry += (uint64_t)a->limb[i] * k;
		n->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	n->limb[a->limbs] = (uint32_t)carry;
	return num_trim(n);
}

static NOINLINE struct num *num_remainder(const struct num *a, uint32_t k)
{
	uint64_t r = 0;

	for (uint32_t i = a->limbs; i--;) r = (r << 32 | a->limb[i]) % k;
	return num_of((uint32_t)r);
}

/* next = k * now + before; the oldest goes. */
static NOINLINE void advance(struct num **before, struct num **now, uint32_t k)
{
	struct num *product = num_scale(*now, k), *next = num_add(product, *before);

	free(product);
	free(*before);
	*before = *now;
	*now = next;
}

/* Looks at a term as a trial division would: small numbers that come and go. */
static NOINLINE uint32_t examine(const struct num *n)
{
	static const uint32_t prime[] = { 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41 };
	uint32_t hits = 0;

	for (unsigned i = 0; i < sizeof prime / sizeof *prime; i++) {
		struct num *r = num_remainder(n, prime[i]);
		hits += !r->limbs;
		free(r);
	}
	return hits;
}

static uint32_t expand(uint32_t d, long terms)
{
	uint32_t root = 0, m = 0, q = 1, hits = 0;

	while ((root + 1) * (root + 1) <= d) root++;
	if (root * root == d) return 0;
	struct num *p0 = num_of(1), *p1 = num_of(root), *q0 = num_of(0), *q1 = num_of(1);
	uint32_t a = root;
	for (long i = 0; i < terms; i++) {
		m = a * q - m;
		q = (d - m * m) / q;
		a = (root + m) / q;
		advance(&p0, &p1, a);
		advance(&q0, &q1, a);
		hits += examine(p1);
	}
	free(p0);
	free(p1);
	free(q0);
	free(q1);
	return hits;
}

int main(int argc, char **argv)
{
	long terms = bench_arg(argc, argv, 1, 500), rounds = bench_arg(argc, argv, 2, 2000);
	uint32_t hits = 0;

	for (uint32_t limbs = 0; limbs < 4 * KEPT; limbs++) KEEP(num_new(limbs / 4));
	struct bench b = bench_begin();
	for (long i = 0; i < rounds; i++) hits += expand(1000003 + 2 * (uint32_t)i, terms);
	KEEP(hits);
	bench_end(b, (double)(terms * rounds));
	return 0;
}
