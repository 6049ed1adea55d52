/* tally.h: what sources build their reports with. For use by inspect/lock only. */
#ifndef ALLOCTOP_TALLY_H
#define ALLOCTOP_TALLY_H

#include "inspect/lock/lock.h"

/* The row of a lock, appended when it is new: named when it is a known one. Valid until the next call. NULL when a hostile target made
   too many. */
struct lock_row *tally_row(const struct lock_watch *w, struct lock_report *r, uint64_t addr);
/* Adds to the stack of a row, to the waiter of a row. */
void tally_stack(struct lock_row *row, const uint64_t *pc, unsigned depth, unsigned scanned, double waits, double lost_s);
void tally_waiter(struct lock_row *row, pid_t tid, const char *name, double waits, double lost_s);
/* Most expensive first; shares. */
void tally_sort(struct lock_row *row);
void tally_free(struct lock_row *row);
void tally_notice(struct lock_report *r, const char *source, enum lock_state state, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Mean of samples that follow each other closely and so resemble each other: the error is that of the means of BATCHES pieces. Samples
   come with the moment, 0..1 of the period. */
enum { TALLY_BATCHES = 40 };
struct tally_mean { double sum[TALLY_BATCHES], n[TALLY_BATCHES]; };
void tally_sample(struct tally_mean *m, double moment, double value);
struct lock_figure tally_figure(const struct tally_mean *m, const char *source);

/* Does this wait mean a lock or an event? And is the operation a wait at all? */
int tally_is_wait(uint64_t op);
enum lock_use tally_use(const struct lock_watch *w, uint64_t op, uint32_t val);

/* What a source may take of a core that would take `own`. */
double tally_share(const struct lock_watch *w, double own);

double tally_now(void);         /* seconds, monotonic */
double tally_cpu(void);         /* of the calling thread */
void tally_sleep(double seconds);
/* Makes the calling thread run when it is due, as far as that is permitted: one that only runs when a thread of the target leaves the processor
   would see the moments at which that happens, and no others. */
void tally_hasten(void);
/* A number in [0, 1), for moments that nothing in the target can be in step with. */
double tally_random(uint64_t *state);

#endif
