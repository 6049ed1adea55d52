/* crowd: a process with many threads, which wait for a lock or sleep and allocate, and many loaded objects. Says "ready", and ends with its input.
 * usage: crowd THREADS OBJECT... */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { STACK = 128 << 10, BUSY = 10 /* one thread of so many */ };

static pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;

static void *thread(void *arg)
{
	if ((size_t)arg % BUSY) pthread_mutex_lock(&never);
	for (;;) {
		free(malloc(64));
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	pthread_attr_t small;
	pthread_t t;
	char c;

	for (int i = 2; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW)) return fprintf(stderr, "%s\n", dlerror()), 1;
	pthread_mutex_lock(&never);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	for (size_t i = 1; argc > 1 && i < strtoul(argv[1], NULL, 10); i++)
		if (pthread_create(&t, &small, thread, (void *)i)) return 1;
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0) ;
	return 0;
}
