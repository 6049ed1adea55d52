/* stop: how long a waiter stands when it must be stopped for its stack. usage: stop PID SECONDS. Stops, forty times a second at most, a thread that
 * sleeps in a futex call, as proc-syscall of `alloctop locks` does where registers are wanted. Prints how often, and median and longest in µs. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "inspect/lock/sleeper.h"
#include "inspect/lock/stopper.h"
#include "inspect/lock/tally.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"

enum { STOPS_MAX = 10000 };

static double pause_us[STOPS_MAX];

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* 1: a thread was stopped. */
static int stop_one(const struct target *t, int task, struct stopper *stopper, uint64_t *seed, double *pause)
{
	size_t first = (size_t)(tally_random(seed) * (double)t->nthreads);
	const struct stopped *x = NULL;
	struct sleeper_call at;
	uint64_t token;

	for (size_t i = 0; i < t->nthreads; i++) {
		struct sleeper s = { task, t->thread[(first + i) % t->nthreads].tid, -1 };
		if (sleeper_look(&s, &at) != 1 || at.number != SYS_futex || stopper_ask(stopper, &s, 0)) continue;
		while (!stopper_answer(stopper, &x, &token)) tally_sleep(0.001);
		if (x) *pause = x->pause_us;
		return x != NULL;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct target t;
	struct err e;
	char path[64];
	size_t n = 0;
	uint64_t seed = 0;

	if (argc < 3 || target_open_pid(&t, (pid_t)atoi(argv[1]), &e)) return 1;
	snprintf(path, sizeof path, "/proc/%d/task", (int)t.pid);
	int task = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stopper *stopper = task < 0 ? NULL : stopper_open(&t);
	if (!stopper) return 1;
	for (double until = tally_now() + atof(argv[2]); tally_now() < until && n < STOPS_MAX; tally_sleep(0.05 * tally_random(&seed)))
		n += (size_t)stop_one(&t, task, stopper, &seed, &pause_us[n]);
	stopper_close(stopper);
	target_close(&t);
	if (n) qsort(pause_us, n, sizeof *pause_us, by_value);
	printf("%zu %.0f %.0f\n", n, pause_us[n / 2], n ? pause_us[n - 1] : 0);
	return 0;
}
