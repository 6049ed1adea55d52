/* collect_faults.h: who touches new memory: page faults by stack, sampled in a thread of their own. For use by collect.c. */
#ifndef ALLOCTOP_COLLECT_FAULTS_H
#define ALLOCTOP_COLLECT_FAULTS_H

#include <sys/types.h>

struct collect_faults;
struct collect_options;
struct facts;

/* Never NULL. */
struct collect_faults *collect_faults_begin(pid_t pid, const struct collect_options *o);
/* Waits until the watch is over, fills in the faults, and frees it. */
void collect_faults_end(struct collect_faults *c, struct facts *f);

#endif
