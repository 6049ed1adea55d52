/* attaching.h: an attach from its preflight to its end, as `attach`, `detach` and `dump --attach` say it. */
#ifndef ALLOCTOP_ATTACHING_CMD_H
#define ALLOCTOP_ATTACHING_CMD_H

#include <stdio.h>
#include <sys/types.h>

struct attach_options;
struct attach_plan;
struct err;

/* The preflight; with `changes` each word that would change. */
void attaching_tell(const struct attach_plan *p, int changes, FILE *out);
/* -1 with *e where the plan is refused, or not safe and not forced. */
int attaching_may(const struct attach_plan *p, int force, struct err *e);
/* Carries it out and says so. */
int attaching_begin(struct attach_plan *p, FILE *out, struct err *e);
/* From here on what would end the command ends attaching_stay; and until attaching_release, so that nothing stays attached for it. */
void attaching_catch(void);
void attaching_release(void);
/* Until the time is over, somebody has enough of it, or the process has gone. Objects that it loads meanwhile are hooked too. How long that
   was, in seconds. */
double attaching_stay(pid_t pid, const struct attach_options *o, double seconds, FILE *out);
/* Puts everything back and says what was done. */
int attaching_end(pid_t pid, FILE *out, struct err *e);

#endif
