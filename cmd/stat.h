/* stat.h: what a process spends in its allocators, as people and programs read it. For cmd/stat*.c, and stat_profile for cmd/dump.c. */
#ifndef ALLOCTOP_CMD_STAT_H
#define ALLOCTOP_CMD_STAT_H

#include <stddef.h>
#include <stdio.h>

struct cost;
struct err;
struct profile;

struct stat_reading {
	const struct cost *cost;
	double allocations;             /* meanwhile, as an agent counted them; -1: no agent */
	double user_s, system_s;        /* of a command that has ended; -1: unknown */
};

enum { STAT_NOTICES = 10, STAT_NOTICE = 320 };

void stat_text(FILE *f, const struct stat_reading *r, unsigned columns, unsigned limit);
int stat_json(FILE *f, const struct stat_reading *r, unsigned limit, struct err *e);
/* What is missing, in words, one line each. Returns how many. */
size_t stat_notices(const struct stat_reading *r, char notice[STAT_NOTICES][STAT_NOTICE]);

/* Measures for so long and makes a profile of it: "cpu" or "growth". program: at least 64 bytes. NULL with *e. */
struct profile *stat_profile(const char *operand, const char *kind, double seconds, int raw, int no_inlines, char program[64], int *pid, struct err *e);

#endif
