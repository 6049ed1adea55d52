/* residence.h: which pages of a target are resident, and which bytes of them have been accounted for. Each byte is counted once: what
 * is told twice counts the first time. Costs about three bytes per resident page. For use by survey.c and account.c. */
#ifndef ALLOCTOP_RESIDENCE_H
#define ALLOCTOP_RESIDENCE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct target;
struct residence;

struct residence_sum { uint64_t resident, swapped, absent; };

/* As it is now; of a core file, what is in it. */
int residence_open(const struct target *t, struct residence **out, struct err *e);
/* Accepts NULL. */
void residence_close(struct residence *r);
/* All that is resident. */
uint64_t residence_total(const struct residence *r);

/* Who tells from now on: 0 to RESIDENCE_OWNERS - 1. */
enum { RESIDENCE_OWNERS = 8 };
void residence_owner(struct residence *r, unsigned owner);
/* Resident and swapped bytes of [start, end), pages by who told of them first; none: the last. */
void residence_owners(struct residence *r, uint64_t start, uint64_t end, uint64_t by[RESIDENCE_OWNERS + 1], struct residence_sum *sum);

/* Accounts for a range: adds to *sum what of it had not been told yet. */
void residence_take(struct residence *r, uint64_t start, uint64_t bytes, struct residence_sum *sum);
/* The same, and tells apart pages of which nothing had been told (whole) from what was left of others (rest). */
void residence_take_rest(struct residence *r, uint64_t start, uint64_t bytes, struct residence_sum *whole, struct residence_sum *rest);

#endif
