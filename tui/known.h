/* known.h: what has been found out about one process of the list. For census.c, which keeps one for each, and those that make rows of it. */
#ifndef ALLOCTOP_TUI_KNOWN_H
#define ALLOCTOP_TUI_KNOWN_H

#include <stddef.h>
#include "inspect/client/agent.h"
#include "inspect/model/heap.h"
#include "inspect/target/proc.h"

struct known {
	struct proc proc;
	double read_at;                 /* when all of proc was read */
	int seen;                       /* in this round */
	int looked, denied;             /* looked at, once at least; and not permitted */
	double again;                   /* when it is due for another look */
	char allocator[40], container[64], *group;      /* group: the path of its control group, "" for none, NULL: not read yet */
	double live, retained, rate, rate_at, rate_bytes;
	enum agent_state agent;
	struct heap_lock *lock; size_t nlocks; int musl;
	double inside, glanced_at;      /* threads in those, of late */
	double rss_at, rss;             /* the beginning of its growth */
	double next_at, next_rss;       /* and the one that will be */
};

/* One that was not looked at yet. */
void known_new(struct known *k, const struct proc *p, double now);
void known_free(struct known *k);
/* Reads its control group, once. */
void known_group(struct known *k);
/* Looks at its agent and its heap: dear. Returns the seconds of processor time that it took. */
double known_look(struct known *k);
/* Reads the words of its locks: cheap. */
void known_glance(struct known *k, double now);
/* Takes note of its size. */
void known_grow(struct known *k, double now);
/* Bytes per minute; NAN when it is too early to tell. */
double known_growth(const struct known *k, double now);

#endif
