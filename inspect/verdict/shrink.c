/* shrink.c: see shrink.h. A look is one pread of /proc/PID/statm, 2 us; moments are random, so that nothing in the process is in step with them. */
#include "inspect/verdict/shrink.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "inspect/target/xalloc.h"

static const double interval_s = 1e-3;
/* Pages: the kernel's count is that much off at times, as each processor has a share of its own. */
enum { FALL = 8 };

struct shrink {
	pthread_t thread;
	int fd, stop;
	unsigned long looks, falls;
};

/* Resident pages, the second figure; -1: it has ended. */
static long pages(int fd)
{
	char buf[64];
	long size, resident;
	ssize_t n = pread(fd, buf, sizeof buf - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	return sscanf(buf, "%ld %ld", &size, &resident) == 2 && size > 0 ? resident : -1;
}

static void *look(void *arg)
{
	struct shrink *s = arg;
	unsigned seed = (unsigned)s->fd;
	long before = 0, there;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED) && (there = pages(s->fd)) >= 0) {
		s->falls += s->looks && there + FALL <= before;
		s->looks++;
		before = there;
		double wait = interval_s * (0.5 + (double)rand_r(&seed) / RAND_MAX);
		nanosleep(&(struct timespec){ 0, (long)(wait * 1e9) }, NULL);
	}
	return NULL;
}

struct shrink *shrink_begin(pid_t pid)
{
	struct shrink *s = xcalloc(1, sizeof *s);
	char path[40];

	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	s->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->fd >= 0 && !pthread_create(&s->thread, NULL, look, s)) return s;
	if (s->fd >= 0) close(s->fd);
	free(s);
	return NULL;
}

double shrink_end(struct shrink *s)
{
	if (!s) return NAN;
	__atomic_store_n(&s->stop, 1, __ATOMIC_RELAXED);
	pthread_join(s->thread, NULL);
	double share = s->looks > 1 ? (double)s->falls / (double)(s->looks - 1) : NAN;
	close(s->fd);
	free(s);
	return share;
}
