/* spawn.h: a command that is started held, one step before it becomes the program, so that watching can begin with its first instruction. */
#ifndef ALLOCTOP_SPAWN_H
#define ALLOCTOP_SPAWN_H

#include <sys/types.h>

struct err;

struct spawn { pid_t pid; int go, failed; };

enum { SPAWN_NOT_EXECUTABLE = 126, SPAWN_NOT_FOUND = 127 };     /* as env(1) and the shells say it */

/* It waits. 0, or -1 with *e. */
int spawn_held(struct spawn *s, char **argv, struct err *e);
/* Lets it go. 0, or the status to exit with and *e when it could not become the program. */
int spawn_go(struct spawn *s, const char *name, struct err *e);
/* Waits for its end: its exit status, 128 and the signal when one killed it. */
int spawn_wait(struct spawn *s);
/* Never let go: ends it. */
void spawn_drop(struct spawn *s);

#endif
