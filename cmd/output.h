/* output.h: a file that appears whole or not at all. It is written beside its name, mode 0600, and renamed when done; what is
 * not a regular file (a pipe, /dev/null) is written to as it stands. */
#ifndef ALLOCTOP_OUTPUT_H
#define ALLOCTOP_OUTPUT_H

#include <stdio.h>

struct err;

struct output {
	FILE *file;
	char *path;             /* "-" : standard output */
	char *beside;           /* the temporary name, NULL when written in place */
};

int output_open(struct output *o, const char *path, struct err *e);
/* Makes it appear. On failure nothing is left behind, and what stood there before stands there still. */
int output_commit(struct output *o, struct err *e);
/* Frees it, and throws away what was not committed. Also after a commit, failed or not. */
void output_close(struct output *o);

#endif
