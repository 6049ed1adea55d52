/* lock-quiet.c: processes in which nobody waits for malloc. Until killed.
 *
 * usage: lock-quiet single          one thread, busy with malloc
 *        lock-quiet idle THREADS    so many threads that sleep on one condition
 *        lock-quiet churn           threads that come and go, two at a time, each with a few blocks */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void single(void)
{
	for (size_t size = 1;; size = size < 100000 ? size + 1 : 1) {
		char *p = malloc(size);
		if (!p) abort();
		__asm__ volatile("" : : "r"(p) : "memory");
		free(p);
	}
}

static void *sleeper(void *arg)
{
	pthread_mutex_lock(&mutex);
	for (;;) pthread_cond_wait(&cond, &mutex);
	return arg;
}

static void *visitor(void *arg)
{
	for (int i = 0; i < 10; i++) {
		void *p = malloc(2000);
		__asm__ volatile("" : : "r"(p) : "memory");
		free(p);
	}
	usleep(1000);
	return arg;
}

static void churn(void)
{
	pthread_t thread[2];

	for (;;) {
		for (int i = 0; i < 2; i++)
			if (pthread_create(&thread[i], NULL, visitor, NULL)) exit(1);
		for (int i = 0; i < 2; i++) pthread_join(thread[i], NULL);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "idle";
	pthread_attr_t small;
	pthread_t thread;

	if (!strcmp(what, "single")) single();
	if (!strcmp(what, "churn")) churn();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	for (int i = argc > 2 ? atoi(argv[2]) : 0; i > 0; i--)
		if (pthread_create(&thread, &small, sleeper, NULL)) return 1;
	puts("ready");
	fflush(stdout);
	for (;;) pause();
}
