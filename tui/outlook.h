/* outlook.h: head figures from what was read, and in words what stands out. For observe.c. */
#ifndef ALLOCTOP_OUTLOOK_H
#define ALLOCTOP_OUTLOOK_H

struct heap;
struct lock_report;
struct observation;
struct snapshot;
struct sites;
struct state;

void outlook_heap(struct state *s, const struct heap *h);
void outlook_agent(struct state *s, const struct snapshot *snap, const struct sites *sites);
void outlook_locks(struct state *s, const struct lock_report *l);
/* Last: from all of the figures, and by the rules from what they were made of. */
void outlook_verdict(struct state *s, const struct observation *o);

#endif
