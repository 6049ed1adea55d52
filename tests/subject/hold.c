/* hold.c: holds blocks and does as it is told: one letter on stdin, one line on stdout.
 *
 * At start: 100 blocks of 1000 bytes (hold_small), 50 of 4096 (hold_large); every fifth of the small ones is freed again. So 80000
 * and 204800 bytes are live, said in the first line: "live 80000 204800".
 *   a  10 more of 1000 bytes
 *   b  4000 of 1000 bytes, each freed at once
 *   c  closes every descriptor above 2
 *   n  calls its main thread "renamed"
 *   f  forks a child that answers from now on: "child PID"; the parent waits for it
 *   x  executes itself again
 *   t  starts a thread called "second" that holds one block of 12345 bytes
 * At the end of input it exits with 0. Makes no allocation beside. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void *kept[200];
static size_t nkept;

static void say(const char *word, unsigned long a, unsigned long b)
{
	char line[80], digits[24];
	size_t n = strlen(word);

	memcpy(line, word, n);
	for (int i = 0; i < 2; i++) {
		unsigned long v = i ? b : a;
		int k = 0;
		do digits[k++] = (char)('0' + v % 10);
		while (v /= 10);
		line[n++] = ' ';
		while (k) line[n++] = digits[--k];
	}
	line[n++] = '\n';
	if (write(1, line, n) != (ssize_t)n) _exit(1);
}

__attribute__((noinline)) static void hold_small(unsigned n)
{
	while (n--) kept[nkept++] = memset(malloc(1000), 1, 1000);
}

__attribute__((noinline)) static void hold_large(unsigned n)
{
	while (n--) kept[nkept++] = memset(malloc(4096), 1, 4096);
}

static void *second(void *unused)
{
	prctl(PR_SET_NAME, "second");
	kept[nkept++] = malloc(12345);
	say("done", 0, 0);
	for (;;) pause();
	return unused;
}

static int obey(char order, char **argv)
{
	pthread_t t;
	pid_t pid;
	int status = 1;

	switch (order) {
	case 'a': hold_small(10); break;
	case 'b':
		for (int i = 0; i < 4000; i++) {
			hold_small(1);
			free(kept[--nkept]);
		}
		break;
	case 'n': prctl(PR_SET_NAME, "renamed"); break;
	case 'c':
		for (int fd = 3; fd < 4096; fd++) close(fd);
		break;
	case 'x': execv("/proc/self/exe", argv); return 1;
	case 't':
		if (pthread_create(&t, NULL, second, NULL)) return 1;
		return 0;
	case 'f':
		pid = fork();
		if (pid < 0) return 1;
		if (pid == 0) {
			say("child", (unsigned long)getpid(), 0);
			return 0;
		}
		waitpid(pid, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
	default: return 1;
	}
	say("done", 0, 0);
	return 0;
}

int main(int argc, char **argv)
{
	char order;

	(void)argc;
	hold_small(100);
	hold_large(50);
	for (unsigned i = 0; i < 100; i += 5) free(kept[i]);
	say("live", 80 * 1000, 50 * 4096);
	while (read(0, &order, 1) == 1)
		if (obey(order, argv)) return 1;
	return 0;
}
