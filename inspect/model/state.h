/* state.h: all that is shown of a process (or of the list of processes) at one moment: head figures, words, tables. Made once, then
 * read only, shared by its users. What is not known is NAN or "". No I/O. */
#ifndef ALLOCTOP_STATE_H
#define ALLOCTOP_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct table;
struct table_shape;
struct err;

enum state_figure {
	STATE_RSS, STATE_VM, STATE_THREADS, STATE_UPTIME,
	/* from outside: the ledger */
	STATE_LIVE, STATE_OBJECTS, STATE_ROUNDING, STATE_CACHED, STATE_FREE, STATE_METADATA, STATE_OTHER, STATE_RETAINED, STATE_SWAPPED, STATE_ARENAS,
	STATE_HEAP_AGE,         /* how long ago its reading began */
	STATE_LIVE_RESIDENT,
	/* from the agent */
	STATE_SAMPLED, STATE_SAMPLED_ERROR, STATE_SAMPLED_OBJECTS, STATE_RATE, STATE_RATE_OBJECTS, STATE_RATE_INTERVAL, STATE_AGENT_AGE, STATE_SAMPLE_RATE, STATE_LOST,
	STATE_ATTACHED,         /* 1: it was put into the running process, and what was allocated before is not known */
	/* locks */
	STATE_LOCK_COST,        /* thread-seconds per second lost in the allocator's own locks */
	STATE_LOCK_ERROR, STATE_ALL_LOCKS,
	STATE_INNER_PID,        /* as the process sees itself, where that is another number */
	STATE_RATE_ERROR,       /* standard error of STATE_RATE */
	STATE_FIGURES
};

enum state_text {
	STATE_PROGRAM, STATE_USER, STATE_ALLOCATOR, STATE_AGENT, STATE_NOTES, STATE_LOCKS, STATE_VERDICT, STATE_GONE /* why there will be no more; "" while it lives */,
	STATE_TEXTS
};

enum state_table {
	STATE_SITES, STATE_CALLEES, STATE_CALLERS, STATE_CLASSES, STATE_ARENA, STATE_LOCK, STATE_THREAD, STATE_MAPS, STATE_LEDGER, STATE_PROCESSES, STATE_GROUPS,
	STATE_TABLES
};

struct state {
	pid_t pid;
	double at;              /* seconds since the epoch */
	double figure[STATE_FIGURES];
	char *text[STATE_TEXTS];        /* never NULL once made */
	struct table *table[STATE_TABLES];      /* NULL: not there (yet) */
	unsigned users;
};

/* Everything unknown; one user. */
struct state *state_new(void);
struct state *state_use(struct state *s);
/* Accepts NULL. Any thread. */
void state_leave(struct state *s);
void state_say(struct state *s, enum state_text which, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* One state as bytes, compressed: how it is kept in memory and in a file. Malloc'ed. By one thread only: a table that is in several states
   is packed once. */
void *state_pack(const struct state *s, size_t *n);
/* And back: hostile input. Tables and columns are found by name among `shapes` (index: enum state_table, NULL: none); those not known
   are left out. NULL with *e. */
struct state *state_unpack(const void *bytes, size_t n, const struct table_shape *const shapes[STATE_TABLES], struct err *e);

#endif
