/* settings.h: what the environment asks of the agent. One table in settings.c; man/alloctop-agent.7 documents the same rows. */
#ifndef AGENT_SETTINGS_H
#define AGENT_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

enum settings_thread { SETTINGS_THREAD_AUTO, SETTINGS_THREAD_ALWAYS, SETTINGS_THREAD_NEVER };

struct settings {
	uint64_t rate;          /* ALLOCTOP_RATE: mean bytes between samples, with K M G */
	uint64_t thread;        /* ALLOCTOP_THREAD: enum settings_thread */
	uint64_t exact;         /* ALLOCTOP_EXACT: count every call by size class */
	uint64_t follow;        /* ALLOCTOP_FOLLOW: also work in programs that this one starts */
	uint64_t pid;           /* ALLOCTOP_PID: the process that was meant; 0: whoever has the agent */
	uint64_t depth;         /* ALLOCTOP_DEPTH: frames kept of a stack */
	char segment[256];      /* ALLOCTOP_SEGMENT: a file for the segment; "": memory */
	char dir[96];           /* ALLOCTOP_DIR: where the socket goes; "": chosen by the agent */
	char runtime[96];       /* XDG_RUNTIME_DIR, for that choice */
};

extern struct settings settings;

/* Non-zero once the process's environment can be read. */
int settings_ready(void);
/* Reads the environment: once, before the program runs, as it may write over it later (setproctitle). Complaints about bad values, one line each, are appended to `notices`; the defaults stand. */
void settings_read(char *notices, size_t n);

/* Address of argc, where the main thread's stack begins; 0 when it cannot be told. */
uintptr_t settings_argc(void);

#endif
