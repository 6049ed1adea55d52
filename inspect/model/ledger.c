/* ledger.c: see ledger.h. */
#include "inspect/model/ledger.h"

#include <stdio.h>
#include <string.h>

#include "inspect/target/xalloc.h"

static struct ledger_row *append(struct ledger *l, const char *name)
{
	l->row = xreallocarray(l->row, l->nrows + 1, sizeof *l->row);
	l->row[l->nrows] = (struct ledger_row){ 0 };
	snprintf(l->row[l->nrows].name, sizeof l->row->name, "%s", name);
	return &l->row[l->nrows++];
}

void ledger_add(struct ledger *l, const char *name, uint64_t bytes, uint64_t swapped, int derived, const char *note)
{
	if (!bytes && !swapped) return;
	struct ledger_row *r = append(l, name);
	r->bytes = bytes;
	r->swapped = swapped;
	r->derived = derived;
	snprintf(r->note, sizeof r->note, "%s", note ? note : "");
}

/* Takes up to `excess` away from rows that are derived, or from those that are not. What is still too much. */
static uint64_t shrink(struct ledger *l, uint64_t excess, int derived)
{
	for (size_t i = l->nrows; i-- > 0 && excess;) {
		struct ledger_row *r = &l->row[i];
		uint64_t cut = r->bytes < excess ? r->bytes : excess;
		if (!r->derived != !derived || !cut) continue;
		r->bytes -= cut;
		excess -= cut;
		snprintf(r->note, sizeof r->note, "reduced: rows said more than is resident");
	}
	return excess;
}

void ledger_close(struct ledger *l)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->nrows; i++) sum += l->row[i].bytes;
	if (sum > l->rss && shrink(l, sum - l->rss, 1)) {
		for (size_t i = sum = 0; i < l->nrows; i++) sum += l->row[i].bytes;
		shrink(l, sum - l->rss, 0);
	}
	append(l, "unexplained")->bytes = sum < l->rss ? l->rss - sum : 0;
	l->row[l->nrows - 1].derived = 1;
}

uint64_t ledger_bytes(const struct ledger *l, const char *name)
{
	for (size_t i = 0; i < l->nrows; i++)
		if (!strcmp(l->row[i].name, name)) return l->row[i].bytes;
	return 0;
}
