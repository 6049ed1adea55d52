/* whole.h: whole numbers out of estimates. For the formats that print integers, so that they all print the same ones. */
#ifndef ALLOCTOP_WHOLE_H
#define ALLOCTOP_WHOLE_H

#include <stdint.h>

struct profile;

/* One type's values, one per sample, rounded so that they add up to the rounded total (largest remainder). free() it. */
int64_t *whole_values(const struct profile *p, unsigned type);
/* Nearest integer, clamped to what fits; 0 for what is no number. */
int64_t whole_number(double v);

#endif
