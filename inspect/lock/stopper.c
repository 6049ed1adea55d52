/* stopper.c: see stopper.h. */
#include "inspect/lock/stopper.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "inspect/lock/sleeper.h"
#include "inspect/lock/tally.h"
#include "inspect/target/xalloc.h"

enum { PATIENCE_S = 1 };

enum state { IDLE, ASKED, ANSWERED };

struct stopper {
	const struct target *t;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	enum state state;
	int over, good;
	struct sleeper whom;
	uint64_t token;
	struct stopped stopped;
};

/* All of ptrace happens here: what it is attached to is this thread. */
static void *work(void *arg)
{
	struct stopper *s = arg;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	/* who stands waits for our turn */
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 })) tally_hasten();
	pthread_mutex_lock(&s->mutex);
	while (!s->over) {
		if (s->state != ASKED) {
			pthread_cond_wait(&s->wake, &s->mutex);
			continue;
		}
		pthread_mutex_unlock(&s->mutex);
		int good = !stop_copy(s->t, &s->whom, &s->stopped);
		pthread_mutex_lock(&s->mutex);
		s->good = good;
		s->state = ANSWERED;
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

struct stopper *stopper_open(const struct target *t)
{
	struct stopper *s = xcalloc(1, sizeof *s);

	s->t = t;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (!pthread_create(&s->thread, NULL, work, s)) return s;
	free(s);
	return NULL;
}

void stopper_close(struct stopper *s)
{
	struct timespec until;

	if (!s) return;
	pthread_mutex_lock(&s->mutex);
	s->over = 1;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	/* one that the kernel keeps from stopping is let go by the end of the thread that asked */
	if (pthread_clockjoin_np(s->thread, NULL, CLOCK_MONOTONIC, &until)) {
		pthread_cancel(s->thread);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

int stopper_ask(struct stopper *s, const struct sleeper *thread, uint64_t token)
{
	int busy;

	pthread_mutex_lock(&s->mutex);
	if (!(busy = s->state != IDLE)) {
		s->whom = (struct sleeper){ thread->task, thread->tid, -1 };  /* its descriptor may be closed meanwhile */
		s->token = token;
		s->state = ASKED;
		pthread_cond_signal(&s->wake);
	}
	pthread_mutex_unlock(&s->mutex);
	return busy ? -1 : 0;
}

int stopper_answer(struct stopper *s, const struct stopped **out, uint64_t *token)
{
	int got;

	pthread_mutex_lock(&s->mutex);
	if ((got = s->state == ANSWERED)) {
		*out = s->good ? &s->stopped : NULL;
		*token = s->token;
		s->state = IDLE;
	}
	pthread_mutex_unlock(&s->mutex);
	return got;
}
