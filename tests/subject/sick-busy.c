/* CFLAGS: -O1 -fno-builtin */
/* sick-busy.c: processes that are busy with malloc, in a way that hurts or in one that does not. Each says "ready" and goes on until it is killed.
 *
 * usage: sick-busy own THREADS BATCH SIZE [touch]    each thread allocates BATCH blocks of SIZE bytes and frees them, over and over; touch: all
 *                                                    of a block is written to, not its first byte only
 *        sick-busy pass BATCH SIZE                   one thread allocates BATCH blocks, another one frees them */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH_MAX = 100000 };
static size_t batch, size, touch;
static pthread_barrier_t barrier;
static char *handed[BATCH_MAX];

__attribute__((noinline)) static char *make(void)
{
	char *p = malloc(size);

	if (touch) memset(p, 1, size);
	else *p = 1;
	return p;
}

static void *own(void *arg)
{
	char **p = malloc(batch * sizeof *p);

	for (;;) {
		for (size_t i = 0; i < batch; i++) p[i] = make();
		for (size_t i = 0; i < batch; i++) free(p[i]);
	}
	return arg;
}

static void *give(void *arg)
{
	for (;;) {
		for (size_t i = 0; i < batch; i++) handed[i] = make();
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

static void *take(void *arg)
{
	for (;;) {
		pthread_barrier_wait(&barrier);
		for (size_t i = 0; i < batch; i++) free(handed[i]);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

int main(int argc, char **argv)
{
	int pass = argc > 1 && !strcmp(argv[1], "pass");
	pthread_t thread;

	if (argc < (pass ? 4 : 5)) return 2;
	batch = strtoull(argv[pass ? 2 : 3], NULL, 10);
	size = strtoull(argv[pass ? 3 : 4], NULL, 10);
	touch = argc > 5;
	if (!batch || batch > BATCH_MAX || !size) return 2;
	pthread_barrier_init(&barrier, NULL, 2);
	for (int i = pass ? 2 : atoi(argv[2]); i > 1; i--)
		if (pthread_create(&thread, NULL, pass ? take : own, NULL)) return 1;
	if (write(1, "ready\n", 6) != 6) return 1;
	pass ? give(NULL) : own(NULL);
	return 0;
}
