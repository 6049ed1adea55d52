/* diagnose.h: how a verdict is shown. For cmd/diagnose*.c. */
#ifndef ALLOCTOP_CMD_DIAGNOSE_H
#define ALLOCTOP_CMD_DIAGNOSE_H

#include <stddef.h>

struct err;
struct facts;
struct rule;
struct verdict;

struct diagnose_reading { const struct facts *facts; const struct verdict *verdict; double at; /* seconds since the epoch, of its end */ };

void diagnose_text(const struct diagnose_reading *r, unsigned columns);
int diagnose_json(const struct diagnose_reading *r, struct err *e);

/* All rules, a line each, or with all that is known of them; one, in full. */
void diagnose_list(void);
int diagnose_json_list(struct err *e);
void diagnose_explain(const struct rule *r, unsigned columns);

#endif
