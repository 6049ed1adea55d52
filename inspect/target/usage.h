/* usage.h: what a process has used since it began, all its threads together. */
#ifndef ALLOCTOP_USAGE_H
#define ALLOCTOP_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct err;

struct usage {
	uint64_t minor_faults, major_faults;
	double user_s, system_s;
	uint64_t voluntary, involuntary;        /* switches, of the threads that live: those that have ended took theirs along */
};

/* 0, or -1 with *e: GONE. */
int usage_read(struct usage *u, pid_t pid, struct err *e);

#endif
