/* heap-truth.c: a heap that knows itself. `heap-truth OBJECTS THREADS` starts THREADS threads and says "ready"; at the first line on
 * its input the threads allocate OBJECTS objects of mixed sizes together, in arenas of their own, and free every third; the main
 * thread makes some that are large enough for a mapping each, one of them aligned. It then prints, as JSON, what is live: objects by
 * usable size, and sums. At the end of its input it ends. With a third argument the threads go on replacing objects, and the number of
 * those that are live stays what it is. Prints without malloc. */
/* SUBJECT: no-musl */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "heap-mixed.h"

enum { CLASSES = 4096, LARGE = 6, THREADS_MAX = 64 };

static unsigned long counts[CLASSES], live_objects, live_bytes, requested;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static unsigned long objects;
static int threads, churn;

static void count(void *p, size_t size)
{
	size_t usable = malloc_usable_size(p);

	live_objects++;
	live_bytes += usable;
	requested += size;
	counts[usable / 16 < CLASSES ? usable / 16 : CLASSES - 1]++;
}

static void *work(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg * 77 + 5;
	unsigned long n = objects / (unsigned)threads;

	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	char **p = malloc(n * sizeof *p);
	size_t *size = malloc(n * sizeof *size);
	for (unsigned long i = 0; i < n; i++) {
		size[i] = size_of(&seed);
		p[i] = memset(malloc(size[i]), 1, size[i]);
	}
	for (unsigned long i = 0; i < n; i += 3) free(p[i]), p[i] = NULL;
	pthread_mutex_lock(&lock);
	count(p, n * sizeof *p);
	count(size, n * sizeof *size);
	for (unsigned long i = 0; i < n; i++)
		if (p[i]) count(p[i], size[i]);
	pthread_mutex_unlock(&lock);
	pthread_barrier_wait(&barrier);
	while (churn) {
		unsigned long i = next(&seed) % n;
		if (!p[i]) continue;
		free(p[i]);
		p[i] = malloc(size_of(&seed));
	}
	for (;;) pause();
	return NULL;
}

static void large(void)
{
	void *p;

	for (unsigned i = 0; i < LARGE; i++) {
		size_t size = 200000 + i * 333333;
		count(memset(malloc(size), 1, size), size);
	}
	if (!posix_memalign(&p, 64, 500000)) count(memset(p, 1, 500000), 500000);
	if (!posix_memalign(&p, 65536, 700000)) count(memset(p, 1, 700000), 700000);
}

static void tell(void)
{
	const char *comma = "";

	say("{\"live_objects\": %lu, \"live_bytes\": %lu, \"requested\": %lu, \"classes\": {", live_objects, live_bytes, requested);
	for (unsigned i = 0; i < CLASSES - 1; i++) {
		if (!counts[i]) continue;
		say("%s\"%u\": %lu", comma, i * 16 + 8, counts[i]);
		comma = ", ";
	}
	say("}}\n");
}

int main(int argc, char **argv)
{
	pthread_attr_t attr;
	pthread_t t;
	char byte;

	if (argc < 3) return 2;
	objects = strtoul(argv[1], NULL, 10);
	threads = atoi(argv[2]);
	churn = argc > 3;
	if (threads < 1 || threads > THREADS_MAX) return 2;
	pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	for (int i = 0; i < threads; i++)
		if (pthread_create(&t, &attr, work, (void *)(size_t)i)) return 1;
	pthread_barrier_wait(&barrier);
	say("ready\n");
	if (read(0, &byte, 1) != 1) return 1;
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	large();
	tell();
	while (read(0, &byte, 1) > 0) ;
	return 0;
}
