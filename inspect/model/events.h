/* events.h: what happened between two states that follow each other, in words. No I/O. */
#ifndef ALLOCTOP_EVENTS_H
#define ALLOCTOP_EVENTS_H

struct state;

/* Calls say for each event. Thresholds keep the ordinary out: a jump is a tenth and 8 MiB at least. */
void events_between(const struct state *before, const struct state *now, void (*say)(void *arg, const char *text), void *arg);

#endif
