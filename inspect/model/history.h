/* history.h: the moments that were seen, in bounded memory: packed, the oldest go first; their head figures, which cost little, stay for
 * longer, for sparklines. Also the file of a recording: the same bytes, one moment after the other. One thread. */
#ifndef ALLOCTOP_HISTORY_H
#define ALLOCTOP_HISTORY_H

#include <stddef.h>
#include <stdio.h>
#include "inspect/model/state.h"

struct err;
struct history;
struct table_shape;

/* shapes: as for state_unpack; bytes: how much the moments may take. */
struct history *history_new(const struct table_shape *const shapes[STATE_TABLES], size_t bytes);
void history_free(struct history *h);

void history_add(struct history *h, const struct state *s);
/* How many can be had: the oldest is 0. */
size_t history_count(const struct history *h);
double history_at(const struct history *h, size_t i);
/* A user of it is the caller's. NULL when it cannot be. */
struct state *history_get(struct history *h, size_t i);
/* A figure of the last n moments, oldest first, NAN where it was not known, also of moments that are gone: how many there were. `back`:
   of those that end so many moments before the newest. */
size_t history_figures(const struct history *h, enum state_figure which, size_t back, double *out, size_t n);

/* A recording. */
int history_write_head(FILE *f, struct err *e);
int history_write(FILE *f, const struct state *s, struct err *e);
/* All of a file, without bounds on memory but for the file's own; a torn end is left out. -1 with *e: no recording, or nothing in it. */
int history_read(struct history *h, const char *path, struct err *e);
/* The file that was read ends within a moment, or with one that is damaged. */
int history_torn(const struct history *h);

#endif
