/* space.c: see space.h. A look is one pread of /proc/PID/statm, 2 us; moments are random, so that nothing in the process is in step with them. */
#include "inspect/verdict/space.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "inspect/target/xalloc.h"

static const double interval_s = 1e-3;

struct space {
	pthread_t thread;
	int fd, stop;
	double seen_s;                  /* from the first look to the last */
	unsigned long looks, moves;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static long pages(int fd)
{
	char buf[32];
	ssize_t n = pread(fd, buf, sizeof buf - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	return n > 0 ? atol(buf) : 0;
}

static void *look(void *arg)
{
	struct space *s = arg;
	unsigned seed = (unsigned)s->fd;
	double begin = now();
	long before = 0, size;

	/* one that has ended has no size any more */
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED) && (size = pages(s->fd)) > 0) {
		s->moves += s->looks && size != before;
		s->looks++;
		before = size;
		s->seen_s = now() - begin;
		double wait = interval_s * (0.5 + (double)rand_r(&seed) / RAND_MAX);
		nanosleep(&(struct timespec){ 0, (long)(wait * 1e9) }, NULL);
	}
	return NULL;
}

struct space *space_begin(pid_t pid)
{
	struct space *s = xcalloc(1, sizeof *s);
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd >= 0 && !pthread_create(&s->thread, NULL, look, s)) return s;
	if (s->fd >= 0) close(s->fd);
	free(s);
	return NULL;
}

double space_end(struct space *s)
{
	if (!s) return NAN;
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELAXED);
	pthread_join(s->thread, NULL);
	double rate = s->seen_s > 0 ? (double)s->moves / s->seen_s : NAN;
	close(s->fd);
	free(s);
	return rate;
}
