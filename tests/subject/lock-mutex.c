/* lock-mutex.c: an application with a hot lock of its own and no work for malloc: six threads in hammer(), on one mutex. Until killed. */
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long counter;

__attribute__((noinline)) static void hammer(void)
{
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < 3000; i++) counter++;
	pthread_mutex_unlock(&mutex);
}

static void *run(void *arg)
{
	for (;;) {
		hammer();
		for (volatile int i = 0; i < 300; i++);
	}
	return arg;
}

int main(void)
{
	pthread_t thread;

	for (int i = 0; i < 6; i++)
		if (pthread_create(&thread, NULL, run, NULL)) return 1;
	pthread_join(thread, NULL);
	return 0;
}
