/* outlook.h: head figures from what was read, and in words what stands out. For observe.c. */
#ifndef ALLOCTOP_OUTLOOK_H
#define ALLOCTOP_OUTLOOK_H

struct heap;
struct lock_report;
struct snapshot;
struct sites;
struct state;

void outlook_heap(struct state *s, const struct heap *h);
void outlook_agent(struct state *s, const struct snapshot *snap, const struct sites *sites);
void outlook_locks(struct state *s, const struct lock_report *l);
/* Last: from all of the figures. */
void outlook_verdict(struct state *s);

#endif
