/* stopper.c: see stopper.h. */
#include "inspect/lock/stopper.h"

#include <pthread.h>
#include <stdlib.h>

#include "inspect/lock/tally.h"
#include "inspect/target/xalloc.h"

enum state { IDLE, ASKED, ANSWERED };

struct stopper {
	const struct target *t;
	const int *stop;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	enum state state;
	int over, good;
	pid_t tid;
	uint64_t token;
	struct stopped stopped;
};

/* All of ptrace happens here: what it is attached to is this thread. */
static void *work(void *arg)
{
	struct stopper *s = arg;

	tally_hasten();
	pthread_mutex_lock(&s->mutex);
	while (!s->over) {
		if (s->state != ASKED) {
			pthread_cond_wait(&s->wake, &s->mutex);
			continue;
		}
		pthread_mutex_unlock(&s->mutex);
		int good = !stop_copy(s->t, s->tid, s->stop, &s->stopped);
		pthread_mutex_lock(&s->mutex);
		s->good = good;
		s->state = ANSWERED;
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

struct stopper *stopper_open(const struct target *t, const int *stop)
{
	struct stopper *s = xcalloc(1, sizeof *s);

	s->t = t;
	s->stop = stop;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (!pthread_create(&s->thread, NULL, work, s)) return s;
	free(s);
	return NULL;
}

void stopper_close(struct stopper *s)
{
	if (!s) return;
	pthread_mutex_lock(&s->mutex);
	s->over = 1;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

int stopper_ask(struct stopper *s, pid_t tid, uint64_t token)
{
	int busy;

	pthread_mutex_lock(&s->mutex);
	if (!(busy = s->state != IDLE)) {
		s->tid = tid;
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
