/* compare_run.h: one run of one variant, measured: of a command from its start to its end, or of a service while it is loaded. */
#ifndef ALLOCTOP_COMPARE_RUN_H
#define ALLOCTOP_COMPARE_RUN_H

#include "cmd/compare.h"
#include "cmd/compare_look.h"
#include "cmd/compare_process.h"

struct run_order {
	const char *input;              /* standard input of the command; NULL: nothing */
	double timeout, ready_timeout;  /* seconds; < 0: none, but of the second */
	int show, ignore_failure, no_trace;
	char **load, **ready;           /* of a service: what loads it; what tells that it is ready, or NULL: it listens */
};

/* warm: it is the first: what it says is kept for the case that it fails. seen: NULL when nobody wants to know which allocator serves it.
   -1 with *e: it failed, or process_interrupted(). */
int run_command(const struct run_order *o, struct compare_variant *v, int warm, struct compare_run *out, struct look_allocator *seen, struct err *e);
int run_service(const struct run_order *o, struct compare_variant *v, int warm, struct compare_run *out, struct look_allocator *seen, struct err *e);

/* For both. Figures of a process that has ended; m: what was seen of its memory before. */
void run_figures(const struct process *p, const struct look_memory *m, struct compare_run *out);
/* 0 when it ended well; else -1 and *e says how, for which variant. `what`: "" or "the load, ". */
int run_verdict(const struct run_order *o, const struct compare_variant *v, const char *what, const struct process *p, struct err *e);

#endif
