/* account.h: from what the readers tell of the address space to a ledger. For use by survey.c. */
#ifndef ALLOCTOP_ACCOUNT_H
#define ALLOCTOP_ACCOUNT_H

#include "inspect/allocator/allocator.h"
#include "inspect/allocator/residence.h"

/* A sink that knows what is resident: one per allocator, all on one residence. */
struct account {
	struct allocator_sink sink;     /* first: readers are given this */
	struct residence *residence;
	unsigned owner;
	struct residence_sum sum[ALLOCATOR_MANAGED + 1];
};

/* owner: a number for whoever tells. */
void account_init(struct account *a, struct residence *r, unsigned owner);
/* The ledger, the mappings and the threads of h, whose allocators have been read, account[i] being that of h->allocator[i]. Tells the
   residence all the rest. */
void account_close(const struct target *t, struct heap *h, const struct account *account, struct residence *r);

#endif
