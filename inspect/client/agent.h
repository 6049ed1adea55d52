/* agent.h: the command's end of an agent: finds it, reads its segment into a snapshot, gives it orders. Sole decoder of wire.h. */
#ifndef ALLOCTOP_AGENT_H
#define ALLOCTOP_AGENT_H

#include <stdint.h>
#include <sys/types.h>

struct err;
struct snapshot;
struct agent;

/* How the segment is reached, in the order they are tried. */
enum agent_way {
	AGENT_SOCKET,           /* descriptor handed over by the helper thread */
	AGENT_DESCRIPTOR,       /* /proc/PID/fd/N of the memfd */
	AGENT_MEMORY,           /* read out of the process's memory */
	AGENT_FILE,             /* a segment file */
};

/* A process with an agent. -1 with *e: GONE, DENIED, or UNSUPPORTED "no agent in pid N (start it with: alloctop run -- CMD, or: ...)". */
int agent_open(pid_t pid, struct agent **out, struct err *e);
/* A file written through ALLOCTOP_SEGMENT, of a live or a dead process. */
int agent_open_file(const char *path, struct agent **out, struct err *e);
void agent_close(struct agent *a);
enum agent_way agent_way(const struct agent *a);

/* What it says now. The caller frees it with snapshot_free. */
int agent_snapshot(struct agent *a, struct snapshot *out, struct err *e);

/* Does it time calls? A word of the header, where a snapshot may be many MiB. -1 with *e. */
int agent_times(const struct agent *a, struct err *e);

enum agent_order { AGENT_RATE, AGENT_RESET, AGENT_STOP, AGENT_START, AGENT_TIME /* value 1 or 0: time the sampled calls */ };
/* Through the socket, else by writing the control words in the process's memory. */
int agent_command(struct agent *a, enum agent_order order, uint64_t value, struct err *e);

enum agent_state {
	AGENT_NONE,             /* no agent there */
	AGENT_LOADED,           /* liballoctop is mapped, no segment yet: a child that has not sampled, or an exec that is not followed */
	AGENT_ACTIVE,
	AGENT_STOPPED,
	AGENT_UNREADABLE,       /* not permitted */
};
/* Cheap look at one process, for lists. */
enum agent_state agent_probe(pid_t pid);

#endif
