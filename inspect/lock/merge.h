/* merge.h: several sources' reports into one. For use by locks.c only. */
#ifndef ALLOCTOP_LOCK_MERGE_H
#define ALLOCTOP_LOCK_MERGE_H

struct lock_watch;
struct lock_report;

/* Takes over from `from` what `into` does not know yet; what it takes is emptied there. Call with the best source first. */
void merge(const struct lock_watch *w, struct lock_report *into, struct lock_report *from);
/* Derives, sums, sorts. */
void merge_done(const struct lock_watch *w, struct lock_report *r);

#endif
