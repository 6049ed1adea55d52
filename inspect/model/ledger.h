/* ledger.h: rows into a struct ledger, and closing it: all rows add up to the resident memory, what is left has a row of its own. */
#ifndef ALLOCTOP_LEDGER_H
#define ALLOCTOP_LEDGER_H

#include <stdint.h>
#include "inspect/model/heap.h"

/* Appends a row, unless it would be all zeros. */
void ledger_add(struct ledger *l, const char *name, uint64_t bytes, uint64_t swapped, int derived, const char *note);
/* Adds "unexplained". If the rows say more than is resident, the derived ones give way, then any: a ledger always closes. */
void ledger_close(struct ledger *l);
/* The bytes of a row, 0 if there is none of that name. */
uint64_t ledger_bytes(const struct ledger *l, const char *name);

#endif
