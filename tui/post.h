/* post.h: hands the newest state from a reading thread to the drawing one, and lets the first wait until it is time or it is wanted. */
#ifndef ALLOCTOP_POST_H
#define ALLOCTOP_POST_H

#include <pthread.h>
#include <signal.h>

struct state;

struct post {
	pthread_mutex_t mutex;
	pthread_cond_t woken;
	struct state *newest;
	int event;              /* readable when `newest` is set */
	int stop, kicked;
	unsigned wanted;
};

void post_open(struct post *p);
/* All threads have ended. */
void post_close(struct post *p);

/* The reading threads: */
void post_put(struct post *p, struct state *s);
/* Sleeps; shorter when it is to stop, or, for a thread that says so, when it was kicked. Returns whether to stop. */
int post_sleep(struct post *p, double seconds, int kicked_too);
unsigned post_wanted(struct post *p);
/* The drawing thread: */
struct state *post_take(struct post *p);
void post_want(struct post *p, unsigned tables);
void post_stop(struct post *p);

/* Around the start of a thread: signals are the drawing thread's, but for those of a crash, which must find the terminal's handler. */
void post_block(sigset_t *old);
void post_unblock(const sigset_t *old);

double post_clock(void);        /* seconds, monotonic */
double post_cpu(void);          /* seconds that the calling thread has run */
double post_date(void);         /* seconds since the epoch */

#endif
