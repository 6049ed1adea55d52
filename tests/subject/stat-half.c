/* stat-half.c: half of its processor time goes into malloc, calloc and free, half into arithmetic, by its own clock, until it is told to end
 * (a signal, or SECONDS of processor time), and it prints what it has measured: "allocator 0.50 of 1.23 s". The time of `churn` is the
 * allocator's but for a little. A thread more does the same when it is called with a second argument. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 400 };

static volatile sig_atomic_t over;
static volatile unsigned long sum;
static double limit = 1e9;

static void on_signal(int sig)
{
	(void)sig;
	over = 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static __attribute__((noinline)) void churn(void)
{
	static _Thread_local void *block[BLOCKS];

	for (int i = 0; i < BLOCKS; i++) block[i] = i % 100 ? malloc(16 + (size_t)i * 8) : calloc(1, 200000);
	for (int i = 0; i < BLOCKS; i++) free(block[i]);
}

static __attribute__((noinline)) void reckon(void)
{
	for (unsigned long i = 0; i < 10000; i++) sum += i * i;
}

static void *work(void *arg)
{
	double begin = now(), inside = 0, outside = 0, at = begin;

	while (!over && at - begin < limit) {
		double then = at;
		if (inside <= outside) {
			churn();
			inside += (at = now()) - then;
		} else {
			reckon();
			outside += (at = now()) - then;
		}
	}
	if (!arg) printf("allocator %.3f of %.3f s\n", inside / (inside + outside), inside + outside);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	signal(SIGTERM, on_signal);
	if (argc > 1) limit = atof(argv[1]);
	puts("ready");
	fflush(stdout);
	if (argc > 2) pthread_create(&thread, NULL, work, argv);
	work(NULL);
	if (argc > 2) pthread_join(thread, NULL);
	return 7;
}
