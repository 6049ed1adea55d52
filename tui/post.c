/* post.c: see post.h. */
#include "tui/post.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "inspect/model/state.h"

static double clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

double post_clock(void) { return clock_of(CLOCK_MONOTONIC); }
double post_cpu(void) { return clock_of(CLOCK_THREAD_CPUTIME_ID); }
double post_date(void) { return clock_of(CLOCK_REALTIME); }

void post_block(sigset_t *old)
{
	static const int crashing[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < sizeof crashing / sizeof *crashing; i++) sigdelset(&set, crashing[i]);
	pthread_sigmask(SIG_SETMASK, &set, old);
}

void post_unblock(const sigset_t *old) { pthread_sigmask(SIG_SETMASK, old, NULL); }

void post_open(struct post *p)
{
	pthread_condattr_t attr;

	*p = (struct post){ .event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
	pthread_mutex_init(&p->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->woken, &attr);
	pthread_condattr_destroy(&attr);
}

void post_close(struct post *p)
{
	state_leave(p->newest);
	pthread_cond_destroy(&p->woken);
	pthread_mutex_destroy(&p->mutex);
	if (p->event >= 0) close(p->event);
}

void post_put(struct post *p, struct state *s)
{
	uint64_t one = 1;

	pthread_mutex_lock(&p->mutex);
	state_leave(p->newest);
	p->newest = s;
	pthread_mutex_unlock(&p->mutex);
	if (write(p->event, &one, sizeof one) < 0) { /* it is readable already */ }
}

int post_sleep(struct post *p, double seconds, int kicked_too)
{
	double until = post_clock() + seconds;
	struct timespec ts = { (time_t)until, (long)((until - (double)(time_t)until) * 1e9) };
	int stop;

	pthread_mutex_lock(&p->mutex);
	while (!p->stop && !(kicked_too && p->kicked) && pthread_cond_timedwait(&p->woken, &p->mutex, &ts) == 0) {}
	if (kicked_too) p->kicked = 0;
	stop = p->stop;
	pthread_mutex_unlock(&p->mutex);
	return stop;
}

unsigned post_wanted(struct post *p)
{
	pthread_mutex_lock(&p->mutex);
	unsigned wanted = p->wanted;
	pthread_mutex_unlock(&p->mutex);
	return wanted;
}

struct state *post_take(struct post *p)
{
	uint64_t n;

	if (read(p->event, &n, sizeof n) < 0) { /* nothing new */ }
	pthread_mutex_lock(&p->mutex);
	struct state *s = p->newest;
	p->newest = NULL;
	pthread_mutex_unlock(&p->mutex);
	return s;
}

void post_want(struct post *p, unsigned tables)
{
	pthread_mutex_lock(&p->mutex);
	if (tables & ~p->wanted) {
		p->kicked = 1;
		pthread_cond_broadcast(&p->woken);
	}
	p->wanted = tables;
	pthread_mutex_unlock(&p->mutex);
}

void post_stop(struct post *p)
{
	pthread_mutex_lock(&p->mutex);
	p->stop = 1;
	pthread_cond_broadcast(&p->woken);
	pthread_mutex_unlock(&p->mutex);
}
