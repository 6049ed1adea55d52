/* serve.h: the helper thread and its socket: hands over the segment and takes orders. The only part of the agent with a thread, and
 * that one is made with the process's own pthread_create, so that it follows when the process changes its user. It allocates nothing,
 * calls no libc function, has all signals blocked and a descriptor table of its own: the program's descriptors are never touched. */
#ifndef AGENT_SERVE_H
#define AGENT_SERVE_H

/* Starts the thread, once per process. Not from inside an allocation. Failure is noted in the segment and is no failure of ours. */
void serve_start(void);
/* Ends the thread, and comes back when it is gone; serve_start may start another. `why`: for the segment's notices; "": nothing to say. */
void serve_stop(const char *why);
/* The process ends: removes the socket. */
void serve_end(void);
/* In a forked child: the parent's thread and socket are not ours. */
void serve_forked(void);

#endif
