/* lock-mutex.c: an application with a hot lock of its own and no work for malloc: six threads in hammer(), on one mutex. Until killed.
 * For each line on stdin it says "waited S": thread-seconds so far, by its own clock, in locking when the lock was not free. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { THREADS = 6 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long counter;
static struct { unsigned long ns; char line[120]; } waited[THREADS];

static unsigned long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long)ts.tv_sec * 1000000000 + (unsigned long)ts.tv_nsec;
}

__attribute__((noinline)) static void hammer(unsigned long *ns)
{
	if (pthread_mutex_trylock(&mutex)) {
		unsigned long from = now();
		pthread_mutex_lock(&mutex);
		__atomic_store_n(ns, *ns + (now() - from), __ATOMIC_RELAXED);
	}
	for (int i = 0; i < 3000; i++) counter++;
	pthread_mutex_unlock(&mutex);
}

static void *run(void *arg)
{
	for (;;) {
		hammer(arg);
		for (volatile int i = 0; i < 300; i++);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread;
	char line[16];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, run, &waited[i].ns)) return 1;
	while (fgets(line, sizeof line, stdin)) {
		unsigned long ns = 0;
		for (int i = 0; i < THREADS; i++) ns += __atomic_load_n(&waited[i].ns, __ATOMIC_RELAXED);
		printf("waited %.6f\n", (double)ns * 1e-9);
		fflush(stdout);
	}
	pthread_join(thread, NULL);
	return 0;
}
