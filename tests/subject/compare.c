/* compare.c: does one thing that a comparison must see, so much of it as it is told.
 *
 * usage: compare [WORD…]
 * fault=MIB    touches so much memory, and keeps it until the end       drop=MIB     gives so much back before it
 * sleep=N      goes to sleep so many times                              child=MIB    has a child that touches so much
 * thread       ends by exit in another thread, the first one waiting    leave        its first thread ends before the second
 * signal=N     sends itself so many signals                             status=N     ends with it
 * blocks=N     has so many small blocks at its end                      trap         ends by SIGSEGV
 * serve=PORT   listens there until SIGTERM, and answers each connection; with `stubborn` before, ignores SIGTERM
 * load=PORT    connects, and ends when it is answered
 * A variable FAULT in the environment is as fault=. */
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char *touched;

static void fault(long mib)
{
	size_t n = (size_t)mib << 20;

	if (n) touched = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (n) madvise(touched, n, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i += 4096) touched[i] = 1;
}

static void child(long mib)
{
	pid_t pid = fork();

	if (pid == 0) {
		fault(mib);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void *leave(void *arg)
{
	usleep(30000);
	exit(arg ? 0 : 1);
}

static void nothing(int sig) { (void)sig; }

static struct sockaddr_in at(long port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static void serve(long port)
{
	struct sockaddr_in a = at(port);
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	usleep(50000);          /* is not ready at once */
	if (bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 8)) exit(9);
	for (;;) {
		int c = accept(s, NULL, NULL);
		fault(16);
		if (write(c, "yes", 3) < 0) exit(8);
		close(c);
	}
}

static void load(long port)
{
	struct sockaddr_in a = at(port);
	char answer[4];
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(s, (struct sockaddr *)&a, sizeof a) || read(s, answer, 3) < 1) exit(7);
}

static void blocks(long n)
{
	static void *volatile last;

	while (n-- > 0) {
		void **p = malloc(100);
		if (!p) exit(6);
		*p = last;
		last = p;
	}
}

static void step(const char *w)
{
	pthread_t t;
	const char *eq = strchr(w, '=');
	long n = eq ? atol(eq + 1) : 0;

	if (!strncmp(w, "fault=", 6)) fault(n);
	if (!strncmp(w, "drop=", 5) && munmap(touched, (size_t)n << 20)) exit(5);
	if (!strncmp(w, "sleep=", 6)) while (n-- > 0) usleep(100);
	if (!strncmp(w, "child=", 6)) child(n);
	if (!strncmp(w, "status=", 7)) exit((int)n);
	if (!strncmp(w, "blocks=", 7)) blocks(n);
	if (!strncmp(w, "serve=", 6)) serve(n);
	if (!strncmp(w, "load=", 5)) load(n);
	if (!strcmp(w, "stubborn")) signal(SIGTERM, SIG_IGN);
	if (!strcmp(w, "trap")) raise(SIGSEGV);
	if (!strncmp(w, "signal=", 7)) for (signal(SIGUSR1, nothing); n > 0; n--) raise(SIGUSR1);
	if (!strcmp(w, "thread") && !pthread_create(&t, NULL, leave, "")) pthread_join(t, NULL);
	if (!strcmp(w, "leave") && !pthread_create(&t, NULL, leave, "")) pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	const char *more = getenv("FAULT");

	if (more) fault(atol(more));
	for (int i = 1; i < argc; i++) step(argv[i]);
	return 0;
}
