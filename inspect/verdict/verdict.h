/* verdict.h: the facts under all rules: what is wrong, most costly first, and what could not be judged. */
#ifndef ALLOCTOP_VERDICT_H
#define ALLOCTOP_VERDICT_H

#include <stddef.h>
#include "inspect/verdict/rule.h"

struct facts;

struct verdict {
	struct finding *finding; size_t nfindings;      /* most costly first */
	struct finding *missing; size_t nmissing;       /* rules that would apply, but whose figures are not there: headline says which */
};

void verdict_make(const struct facts *f, struct verdict *v);
void verdict_free(struct verdict *v);
/* What a finding costs, as a share of the process: of the processors it could use, or of its memory, whichever is more. */
double verdict_cost(const struct facts *f, const struct finding *x);

#endif
