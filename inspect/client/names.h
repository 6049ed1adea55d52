/* names.h: threads' names as they are now: programs name their threads after the agent first saw them. For use by agent.c. */
#ifndef ALLOCTOP_NAMES_H
#define ALLOCTOP_NAMES_H

struct proc;
struct snapshot;

void names_refresh(struct snapshot *s, const struct proc *p);

#endif
