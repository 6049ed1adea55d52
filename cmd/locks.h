/* locks.h: how a struct lock_report is shown. For cmd/locks*.c, and locks_profile for cmd/dump.c. */
#ifndef ALLOCTOP_CMD_LOCKS_H
#define ALLOCTOP_CMD_LOCKS_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct lock_report;
struct lock_stack;
struct profile;
struct symbolizer;
struct target;

struct locks_reading {
	const struct target *target;
	const struct lock_report *report;
	struct symbolizer *symbols;
	const char *program;            /* fit for a terminal */
	double at;                      /* seconds since the epoch, of its end */
};

void locks_text(const struct locks_reading *r, unsigned columns, unsigned limit);
/* compact: on one line, for a series. */
int locks_json(const struct locks_reading *r, int compact, struct err *e);

/* What an agent timed: where calls of the allocator spend their time. Nothing when it did not. */
void locks_calls_text(const struct locks_reading *r, unsigned columns, unsigned limit);

/* A stack's functions, innermost first, " < " between them, without the allocator's and libc's own inner frames. Returns buf. */
char *locks_stack(struct symbolizer *s, const struct lock_stack *k, char *buf, size_t n);
/* One frame's function, or module+offset; with inlined ones it is the innermost. Returns buf. */
char *locks_frame(struct symbolizer *s, const struct lock_stack *k, unsigned i, char *buf, size_t n);

/* Measures for so long and makes the profile of it. program: at least 64 bytes, fit for a file name. NULL with *e. */
struct profile *locks_profile(const char *operand, double seconds, int raw, int no_inlines, char program[64], int *pid, struct err *e);

#endif
