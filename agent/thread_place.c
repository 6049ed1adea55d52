/* thread_place.c: see thread_tls.h. The end of a thread is noticed by a key of the process's own thread library. */
#include "thread.h"
#include "life.h"
#include "serve.h"
#include "symbols.h"
#include "sys.h"
#include "wire.h"

_Thread_local struct thread thread_local_state;

static struct {
	unsigned key;
	int usable;
	int (*set)(unsigned, const void *);
} ending;

static uint32_t present;        /* threads that we have met and that have not ended */

uint32_t thread_tid(void)
{
	return (uint32_t)sys_gettid();
}

/* The thread's own destructor: its last calls into us may still come, they count for slot 0. A process ends with its last thread, and
   that may not be ours. */
static void ended(void *arg)
{
	struct thread *t = arg;
	if (t != thread_self() || !life_running() || t->present != life_generation()) return;
	if (t->enrolled == t->present && wire_thread_slot(t->id)) thread_leave(t);
	if (ADD(present, -1u) == 1) serve_stop("");
}

void thread_forked(void)
{
	STORE(present, 0);
}

void thread_met(uint32_t generation)
{
	struct thread *t = thread_self();
	if (t->present == generation || !ending.usable || ending.set(ending.key, t)) return;
	t->present = generation;
	ADD(present, 1);
}

void thread_init(void)
{
	int (*make)(unsigned *, void (*)(void *)) = (int (*)(unsigned *, void (*)(void *)))symbols_find_next("pthread_key_create");
	ending.set = (int (*)(unsigned, const void *))symbols_find_next("pthread_setspecific");
	ending.usable = make && ending.set && !make(&ending.key, ended);
}
