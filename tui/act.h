/* act.h: writing a profile of a process to a file in the current directory, in a thread of its own. */
#ifndef ALLOCTOP_ACT_H
#define ALLOCTOP_ACT_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct act;

struct act *act_new(void);
/* Waits for one that runs. */
void act_free(struct act *a);
/* Readable when one is done. */
int act_descriptor(const struct act *a);
/* Begins; -1 when one is running already. format: as --format names it. */
int act_begin(struct act *a, pid_t pid, const char *program, const char *format);
/* What became of it, once. 0 when nothing has ended. */
int act_end(struct act *a, char *text, size_t n);

/* A file of its own in the current directory: PROGRAM.PID.TIME.SUFFIX, mode 0600. NULL with errno. */
FILE *act_file(const char *program, pid_t pid, const char *suffix, char *path, size_t n);

#endif
