/* glibc_free.h: what of glibc's free memory malloc_trim(3) would give back, and whose it is. For use by the rules. */
#ifndef ALLOCTOP_GLIBC_FREE_H
#define ALLOCTOP_GLIBC_FREE_H

struct facts;
struct heap_allocator;

/* Resident bytes; NAN where it is not known. */
struct glibc_free {
	double top;             /* at the ends of the heaps: what free gives back by itself once it passes trim_threshold */
	double inside;          /* between live blocks */
	double pages;           /* of inside: whole pages, which malloc_trim gives back too (since glibc 2.8) */
	double rest;            /* of inside: pieces of pages that live blocks are on; nothing gives them back */
	double main_share;      /* of all free memory: in the main arena */
	double stranded;        /* in arenas that no thread is attached to */
	unsigned nstranded;
};

/* -1: not known (a->status_text says why). */
int glibc_free_of(const struct facts *f, const struct heap_allocator *a, struct glibc_free *out);

#endif
