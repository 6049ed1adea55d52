/* churn.c: threads that allocate, resize and free all the time, and check what is in their blocks; others that start, allocate and end at once;
 * a pointer to free that is copied again and again, and called; children that allocate and exit.
 *
 * Prints "ready", runs until its standard input ends, then "wrong W rounds R": blocks whose bytes were not what was written, and children that did
 * not exit well. Before that it keeps KEPT blocks of 10000 bytes, taken by keep(), when SIGUSR1 arrives, and says "kept". */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, BLOCKS = 64, KEPT = 1000, KEPT_SIZE = 10000 };

static volatile int over;
static volatile sig_atomic_t asked;
static unsigned wrong, rounds;
static void (*release)(void *) = free;
static void (*copied)(void *);
static void *kept[KEPT];

#define ADD(x) __atomic_fetch_add(&(x), 1, __ATOMIC_RELAXED)

static unsigned char *check(unsigned char *p, size_t n, unsigned char mark)
{
	if (n && (p[0] != mark || p[n / 2] != mark || p[n - 1] != mark)) ADD(wrong);
	return p;
}

static void *churner(void *arg)
{
	unsigned char *block[BLOCKS] = { 0 };
	size_t size[BLOCKS] = { 0 };
	unsigned seed = (unsigned)(uintptr_t)arg * 7919 + 1;
	void *aligned;

	while (!over) {
		seed = seed * 1664525 + 1013904223;
		unsigned i = seed >> 8 & (BLOCKS - 1), n = (seed >> 14 & 2047) + 1;
		unsigned char mark = (unsigned char)(i + 1);
		if (block[i]) check(block[i], size[i], mark);
		switch (seed >> 28) {
		case 0: case 1: case 2:
			block[i] = realloc(block[i], n);
			break;
		case 3: case 4:
			free(block[i]);
			block[i] = calloc(1, n);
			if (block[i] && (block[i][0] || block[i][n - 1])) ADD(wrong);
			break;
		case 5:
			copied = free;
			copied(block[i]);
			block[i] = posix_memalign(&aligned, 64, n) ? NULL : aligned;
			if ((uintptr_t)block[i] % 64) ADD(wrong);
			break;
		case 6:
			release(block[i]);
			block[i] = (unsigned char *)strdup("a text");
			n = 7;
			break;
		default:
			free(block[i]);
			block[i] = malloc(n);
		}
		if (!block[i]) abort();
		memset(block[i], mark, n);
		size[i] = n;
		ADD(rounds);
	}
	for (unsigned i = 0; i < BLOCKS; i++) free(block[i]);
	return NULL;
}

static void *brief(void *arg)
{
	free(strdup("brief"));
	return arg;
}

static void *starter(void *arg)
{
	pthread_t t;

	while (!over) {
		if (pthread_create(&t, NULL, brief, NULL)) ADD(wrong);
		else pthread_join(t, NULL);
		usleep(2000);
	}
	return arg;
}

static void *forker(void *arg)
{
	int status;

	while (!over) {
		pid_t child = fork();
		if (child == 0) {
			for (int i = 0; i < 100; i++) release(malloc(1000));
			_exit(7);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7) ADD(wrong);
		usleep(20000);
	}
	return arg;
}

__attribute__((noinline)) static void *keep(size_t n)
{
	void *p = malloc(n);

	__asm__ volatile("" : "+r"(p) : : "memory");
	return p;
}

static void on_usr1(int sig) { (void)sig; asked = 1; }

/* Until the input ends. The signal is let in by the wait alone: one that came right before it would be waited for for ever. */
static void wait_for_orders(const sigset_t *mask)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };

	for (char c;;) {
		int r = ppoll(&in, 1, NULL, mask);
		if (asked) {
			asked = 0;
			for (unsigned i = 0; i < KEPT; i++) kept[i] = keep(KEPT_SIZE);
			puts("kept");
			fflush(stdout);
		} else if (r > 0 ? read(0, &c, 1) < 1 : errno != EINTR) {
			return;
		}
	}
}

int main(void)
{
	pthread_t t[THREADS + 2];
	sigset_t usr1, before;

	/* the main thread's alone: it is the one that waits */
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, &before);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_usr1 }, NULL);
	for (unsigned i = 0; i < THREADS; i++) pthread_create(&t[i], NULL, churner, (void *)(uintptr_t)i);
	pthread_create(&t[THREADS], NULL, starter, NULL);
	pthread_create(&t[THREADS + 1], NULL, forker, NULL);
	puts("ready");
	fflush(stdout);
	wait_for_orders(&before);
	over = 1;
	for (unsigned i = 0; i < THREADS + 2; i++) pthread_join(t[i], NULL);
	printf("wrong %u rounds %u\n", wrong, rounds);
	return 0;
}
