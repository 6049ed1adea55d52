/* preflight.h: does a program take what is preloaded, the agent or another allocator? What LD_PRELOAD cannot reach is said before
 * the start, not found out an hour later. */
#ifndef ALLOCTOP_PREFLIGHT_H
#define ALLOCTOP_PREFLIGHT_H

enum preflight_verdict {
	PREFLIGHT_FINE,         /* also when nothing can be said */
	PREFLIGHT_DOUBTFUL,     /* some calls may pass it by */
	PREFLIGHT_NOTHING,      /* nothing reaches it */
};

/* `path` is the file to be executed; a script's interpreter is looked at in its place. `why` gets one line of words, without
   the program's name, unless fine. */
enum preflight_verdict preflight(const char *path, char *why, unsigned n);

/* Does it gain privileges when it is executed? Then it loses them under ptrace. */
int preflight_gains(const char *path);

#endif
