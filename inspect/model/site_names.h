/* site_names.h: what call stacks are called. Remembered: naming takes longer than all else that is done with a snapshot, and most stacks
 * of a snapshot were in the one before. Two stacks, and two names, are told apart by 64 bits. One thread. */
#ifndef ALLOCTOP_SITE_NAMES_H
#define ALLOCTOP_SITE_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct symbolizer;
struct site_names;

struct site_name {
	char *function;         /* innermost frame that is the program's own, not the allocator's, libc's or a wrapper's */
	char *caller;           /* of it; "" when it has none */
	/* for sites.c: its row plus 1 in the gathering `round` */
	uint64_t round; size_t row;
};

/* symbols: used as long as the names are; NULL: addresses. */
struct site_names *site_names_new(struct symbolizer *symbols);
/* Accepts NULL. */
void site_names_free(struct site_names *n);
/* Return addresses, innermost first. Stacks that read the same have the same name, which is there until site_names_free. */
struct site_name *site_names_of(struct site_names *n, const uint64_t *pc, unsigned depth);

#endif
