/* waits.c: threads that wait in every way there is, compute, and are sent signals, and that notice when one of it goes wrong.
 *
 * Prints "ready", runs until its standard input ends, then prints one line: "eintr E short S lost L wrong W rounds R": waits that ended with EINTR,
 * or before their time; signals that were sent and did not arrive, or twice; sums that came out wrong; how often all of it was done.
 * The first four are 0 in a process that nobody disturbs. Only the main thread takes SIGRTMIN, only its own thread SIGUSR1 and SIGUSR2. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int over;
static unsigned eintr, early, lost, wrong, rounds;
static volatile sig_atomic_t usr2;
static unsigned long got, got_sum, sent, sent_sum;
static int event, pipes[2];
static pthread_t usr1_thread, usr2_thread, main_thread;
static unsigned usr1_got, usr1_sent;

#define ADD(x) __atomic_fetch_add(&(x), 1, __ATOMIC_RELAXED)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void check(int r, double since, double least)
{
	if (r < 0 && errno == EINTR) ADD(eintr);
	else if (now() - since < least) ADD(early);
	ADD(rounds);
}

static void *sleeper(void *arg)
{
	while (!over) {
		double t = now();
		check(nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL), t, 0.03);
	}
	return arg;
}

static void *poller(void *arg)
{
	while (!over) {
		double t = now();
		check(poll(NULL, 0, 25), t, 0.024);
	}
	return arg;
}

static void *epoller(void *arg)
{
	struct epoll_event e = { .events = EPOLLIN };
	int fd = epoll_create1(0);
	uint64_t v;

	epoll_ctl(fd, EPOLL_CTL_ADD, event, &e);
	while (!over) {
		int r = epoll_wait(fd, &e, 1, -1);
		check(r, 0, 0);
		if (r > 0 && read(event, &v, sizeof v) < 0 && errno == EINTR) ADD(eintr);
	}
	return arg;
}

static void *idle_epoller(void *arg)
{
	int fd = epoll_create1(0);
	struct epoll_event e;

	while (!over) {
		double t = now();
		check(epoll_wait(fd, &e, 1, 40), t, 0.039);
	}
	return arg;
}

/* Two calls that the kernel ends with EINTR whenever a thread is stopped. */
static void *receiver(void *arg)
{
	struct timeval limit = { .tv_usec = 30000 };
	int pair[2];
	char c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) ADD(wrong);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	while (!over) {
		double t = now();
		check((int)recv(pair[0], &c, 1, 0), t, 0.028);
	}
	return arg;
}

static void *semaphore(void *arg)
{
	int id = semget(IPC_PRIVATE, 1, 0600);
	struct sembuf down = { .sem_op = -1 };

	while (!over) {
		double t = now();
		check(semtimedop(id, &down, 1, &(struct timespec){ .tv_nsec = 35000000 }), t, 0.033);
	}
	semctl(id, 0, IPC_RMID);
	return arg;
}

static void *reader(void *arg)
{
	char c;

	while (!over) check((int)read(pipes[0], &c, 1), 0, 0);
	return arg;
}

static void *waiter(void *arg)
{
	static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t c = PTHREAD_COND_INITIALIZER;

	while (!over) {
		struct timespec t;
		double since = now();
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += 20000000;
		if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
		pthread_mutex_lock(&m);
		int r = pthread_cond_timedwait(&c, &m, &t);
		pthread_mutex_unlock(&m);
		if (r != ETIMEDOUT && r != 0) ADD(wrong);
		check(0, since, r == ETIMEDOUT ? 0.018 : 0);
	}
	return arg;
}

static void *sigwaiter(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	while (!over) {
		int r = sigtimedwait(&set, NULL, &(struct timespec){ .tv_sec = 1 });
		if (r == SIGUSR1) ADD(usr1_got);
		else if (errno == EINTR) ADD(eintr);
		ADD(rounds);
	}
	return arg;
}

static void on_usr2(int sig) { (void)sig; usr2++; }

/* A wake-up that is lost between the look and the wait would leave it here for good. */
static void *suspender(void *arg)
{
	sigset_t set;
	sig_atomic_t seen = usr2;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	sigdelset(&set, SIGUSR2);
	while (!over) {
		while (usr2 == seen && !over) sigsuspend(&set);
		seen = usr2;
		ADD(rounds);
	}
	return arg;
}

__attribute__((noinline)) static double mix(unsigned seed)
{
	double a[8], s = 0;
	uint64_t h = seed;

	for (int i = 0; i < 8; i++) a[i] = seed + i * 0.5;
	for (int i = 0; i < 20000; i++) {
		h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9u + (unsigned)i;
		for (int k = 0; k < 8; k++) a[k] = a[k] * 0.999 + (double)(h >> 40 & 15);
	}
	for (int k = 0; k < 8; k++) s += a[k];
	return s;
}

static void *computer(void *arg)
{
	double truth[4];

	for (unsigned i = 0; i < 4; i++) truth[i] = mix(i);
	for (unsigned i = 0; !over; i = (i + 1) % 4) {
		if (memcmp(&(double){ mix(i) }, &truth[i], sizeof *truth)) ADD(wrong);
		ADD(rounds);
	}
	return arg;
}

static void on_rt(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)context;
	got++;
	got_sum += (unsigned)info->si_value.sival_int;
}

static void *sender(void *arg)
{
	for (unsigned i = 1; !over; i++) {
		sig_atomic_t was = usr2;
		union sigval v = { .sival_int = (int)(i & 0xffff) };
		if (!sigqueue(getpid(), SIGRTMIN, v)) sent++, sent_sum += i & 0xffff;
		if (__atomic_load_n(&usr1_got, __ATOMIC_RELAXED) == usr1_sent) pthread_kill(usr1_thread, SIGUSR1), usr1_sent++;
		pthread_kill(usr2_thread, SIGUSR2);
		for (int n = 0; usr2 == was && n < 20000; n++) nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
		if (usr2 == was) ADD(lost);
		uint64_t one = 1;
		if (write(event, &one, sizeof one) < 0 || write(pipes[1], "x", 1) < 0) ADD(wrong);
	}
	return arg;
}

int main(void)
{
	static void *(*const work[])(void *) = { sleeper, poller, epoller, idle_epoller, receiver, semaphore, reader, waiter, computer };
	enum { WORK = sizeof work / sizeof *work };
	pthread_t t;
	sigset_t all;
	char c;

	event = eventfd(0, EFD_NONBLOCK);
	if (pipe(pipes)) return 1;
	main_thread = pthread_self();
	sigaction(SIGUSR2, &(struct sigaction){ .sa_handler = on_usr2 }, NULL);
	sigaction(SIGRTMIN, &(struct sigaction){ .sa_sigaction = on_rt, .sa_flags = SA_SIGINFO | SA_RESTART }, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (unsigned i = 0; i < WORK; i++) pthread_create(&t, NULL, work[i], NULL);
	pthread_create(&usr1_thread, NULL, sigwaiter, NULL);
	pthread_create(&usr2_thread, NULL, suspender, NULL);
	pthread_create(&t, NULL, sender, NULL);
	sigemptyset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	puts("ready");
	fflush(stdout);
	ssize_t r;
	while ((r = read(0, &c, 1)) > 0 || (r < 0 && errno == EINTR))
		if (r < 0) eintr++;
	over = 1;
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	for (int i = 0; i < 100 && got != sent; i++) nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	if (got != sent || got_sum != sent_sum) lost++;
	if (usr1_sent - usr1_got > 1) lost++;
	printf("eintr %u short %u lost %u wrong %u rounds %u\n", eintr, early, lost, wrong, rounds);
	return 0;
}
