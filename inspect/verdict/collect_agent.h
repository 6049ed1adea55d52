/* collect_agent.h: what the agent in a process says, at each moment of a watch. For use by collect.c. */
#ifndef ALLOCTOP_COLLECT_AGENT_H
#define ALLOCTOP_COLLECT_AGENT_H

#include <stddef.h>
#include <sys/types.h>

struct collect_agent;
struct facts;

/* NULL when there is none; f->agent_group says why. */
struct collect_agent *collect_agent_begin(pid_t pid, struct facts *f);
/* NULL: nothing. i: the index of the moment in f->series. */
void collect_agent_moment(struct collect_agent *a, size_t i);
/* Fills in the sites, and frees it. */
void collect_agent_end(struct collect_agent *a, struct facts *f);

#endif
