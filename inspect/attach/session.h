/* session.h: one stop of a process, in which its memory is written and a thread of it makes system calls. Common to attaching and
 * detaching, and for them alone. All calls from one thread, see seize.h. */
#ifndef ALLOCTOP_SESSION_H
#define ALLOCTOP_SESSION_H

#include <stddef.h>
#include <stdint.h>
#include "inspect/attach/seize.h"
#include "inspect/client/home.h"
#include "inspect/target/maps.h"

struct err;
struct mem_span;
struct remote;
struct target;

struct session {
	pid_t pid;
	struct seize seize;
	struct remote *remote;          /* NULL until the first call */
	int mem;                        /* /proc/PID/mem, opened in the stop; -1 */
	int one_by_one;                 /* there is no way but `mem` */
	const struct target *target;
	const uint64_t *room; size_t rooms;
	uint64_t home_addr;             /* 0: none yet */
	struct home home;               /* as it is, or will be, there */
};

/* Stops the process. -1 with *e as seize_all; FAIL also when a thread is still on its way, see remote_pending: try again then. `try` counts such
   attempts from 0: each is more patient than the one before, since the other threads stand meanwhile. */
int session_open(struct session *s, pid_t pid, const struct target *t, const uint64_t *room, size_t rooms, unsigned try, struct err *e);
/* Lets it run: thread, bytes of the room, all threads. Returns for how long it stood, in seconds; also what session_open left of a failure. */
double session_close(struct session *s);

/* Private anonymous memory; `at` 0 for any place, else over what is mapped there. */
int session_map(struct session *s, uint64_t at, uint64_t size, int prot, uint64_t *out, struct err *e);
/* Address space alone, readable: anywhere (0), or just there, and not where anything is mapped. */
int session_reserve(struct session *s, uint64_t at, uint64_t size, uint64_t *out, struct err *e);
int session_unmap(struct session *s, uint64_t at, uint64_t size, struct err *e);
/* Forked children will find zeros there. -1: this kernel cannot. */
int session_wipe_on_fork(struct session *s, uint64_t at, uint64_t size);

/* Whatever its protection. All or -1 with *e. */
int session_write(struct session *s, uint64_t at, const void *bytes, size_t n, struct err *e);
int session_read(struct session *s, uint64_t at, void *bytes, size_t n, struct err *e);
/* The same for many places at once: how many of them, from the first on, could be read; it is more than none when the first can be. To be repeated. */
size_t session_read_spans(struct session *s, const struct mem_span *span, size_t n);
/* 0 with *e: the first could not be written. */
size_t session_write_spans(struct session *s, const struct mem_span *span, size_t n, struct err *e);
/* Writes s->home to where it belongs. */
int session_write_home(struct session *s, struct err *e);

/* Runs `work` in a thread that owns the ptrace of it. -1: no such thread. */
int session_run(void (*work)(void *arg), void *arg);

#endif
