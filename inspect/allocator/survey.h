/* survey.h: everything that can be learned of a process's heap from outside: who allocates, what they hold, and a ledger that closes. */
#ifndef ALLOCTOP_SURVEY_H
#define ALLOCTOP_SURVEY_H

#include "inspect/model/heap.h"

struct err;
struct recall;
struct target;

enum { SURVEY_TRIES = 4 };

struct survey_options {
	unsigned flags;                 /* ALLOCATOR_FULL, ALLOCATOR_REQUESTED */
	int freeze;                     /* stop the process while it is read */
	double max_pause_s;             /* refuse when that would take longer; it is let go at twice that in any case */
	struct recall *recall;          /* of this process, for who reads it again and again; NULL */
};

/* Reads again when what it read was torn, up to SURVEY_TRIES times, and keeps the best. A target without any known allocator is no
   failure: it has a ledger too. Frozen: read once running, which tells how long it takes, then once standing still; FAIL when that is
   too long. Free with heap_free. -1 with *e also when the target is gone. */
int survey_read(struct target *t, const struct survey_options *o, struct heap *out, struct err *e);

#endif
