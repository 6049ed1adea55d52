/* stopper.h: a thread that stops threads of a target, one at a time, so that nobody else has to wait until one of them has come to a stop: on
 * a busy machine that takes far longer than the stop. For use by procsyscall.c only. */
#ifndef ALLOCTOP_LOCK_STOPPER_H
#define ALLOCTOP_LOCK_STOPPER_H

#include <stdint.h>
#include "inspect/lock/stop.h"

struct sleeper;
struct target;
struct stopper;

/* NULL when there can be no thread. */
struct stopper *stopper_open(const struct target *t);
/* Waits for the stop that is going on, but not for ever. Accepts NULL. */
void stopper_close(struct stopper *s);

/* 0, or -1: it is busy, or its answer has not been taken. `token` comes back with the answer. thread->task must stay open until then. */
int stopper_ask(struct stopper *s, const struct sleeper *thread, uint64_t token);
/* 1: an answer; *out stays valid until the next stopper_ask. *out NULL: that thread goes on, or could not be stopped. */
int stopper_answer(struct stopper *s, const struct stopped **out, uint64_t *token);

#endif
