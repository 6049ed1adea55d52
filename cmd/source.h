/* source.h: what a command looks at: the agent of a process, or a segment file; and its symbols. */
#ifndef ALLOCTOP_SOURCE_H
#define ALLOCTOP_SOURCE_H

#include <sys/types.h>
#include "inspect/model/snapshot.h"

struct agent;
struct err;
struct symbolizer;

struct source {
	struct agent *agent;
	pid_t pid;              /* 0: a file */
	char program[64];       /* base name of the program, fit for a file name and a terminal */
};

/* Of the process that `operand` means (see pid.h), or of `segment` when it is not NULL. 0, or -1 with *e. */
int source_open(struct source *s, const char *operand, const char *segment, struct err *e);
int source_open_pid(struct source *s, pid_t pid, struct err *e);
void source_close(struct source *s);
/* Also completes `program` where only the recording knows it. */
int source_snapshot(struct source *s, struct snapshot *out, struct err *e);
struct symbolizer *source_symbols(const struct source *s, const struct snapshot *snap, int no_inlines, struct err *e);

/* Losses in words, ", " between them; "" when there are none. */
void source_losses(const struct snapshot *s, char *buf, size_t n);

#endif
