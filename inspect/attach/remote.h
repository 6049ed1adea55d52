/* remote.h: a thread of a process that stands still executes single system calls for us.
 *
 * It runs a few instructions of ours that do the call and then put every register and the signal mask back by themselves. They stand
 * where no code and no data is: in the rest of an executable page behind an object's last byte. In the usual course we stop the thread
 * after the call, and give it back its registers as they were. But if we are gone at any moment, killed say, the kernel lets the thread
 * go on, and it finishes the call, finds its way back, and has not noticed.
 *
 * So a call must be one that does no harm on its own. Nobody can see the bytes but through /proc; they are put back at the end. What is
 * left is that the page is the process's own copy from then on (4 KiB, as with a breakpoint). For inspect/attach. */
#ifndef ALLOCTOP_REMOTE_H
#define ALLOCTOP_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct loadeds;
struct remote;
struct seize;
struct target;

/* Where in its executable pages there is room: the places, at most `max` of them. 0: nowhere. */
size_t remote_rooms(const struct target *t, const struct loadeds *l, uint64_t *room, size_t max);

/* A thread that an alloctop had when it was killed has not made its system call, or not found back yet. Until it has, nothing may be mapped
   or unmapped: the call may be about the same memory. */
pid_t remote_pending(const struct seize *s, const uint64_t *room, size_t rooms, int mem);

/* Takes one of the seized threads, and a room where no code of an alloctop that was killed is still needed; `mem` is /proc/PID/mem, open for reading and writing. -1 with *e: FAIL when none of the threads can be taken
   right now (each is in a restartable sequence). The thread is not fit for anything else until remote_close. */
int remote_open(struct remote **out, const struct seize *s, const struct target *t, const uint64_t *room, size_t rooms, int mem, struct err *e);
/* The call's result, 0 or more. -1 with *e (e->sys: what the call failed with) otherwise; GONE when the thread has ended. */
int remote_call(struct remote *r, long nr, const uint64_t arg[6], uint64_t *result, struct err *e);
/* The thread stands where it stood. Accepts NULL. -1 with *e only when it has ended. */
int remote_close(struct remote *r, struct err *e);

/* What stood at addr, by the file that is mapped there; zeros when it cannot be had. */
void remote_original(const struct target *t, uint64_t addr, uint8_t *buf, size_t n);
/* remote_x86_64.c: bytes of room that are needed, whether such code stands there already, and for which call: its first two arguments. */
size_t remote_size(void);
int remote_is_code(const uint8_t *bytes);
void remote_note(const uint8_t *bytes, uint64_t note[2]);

#endif
