/* vforks.c: a main thread in vfork, which no debugger can stop, until standard input ends; another waits in epoll_wait, which must not notice that
 * somebody tried. Prints "ready", and at the end "eintr E waits W": waits that ended with EINTR, and all of them. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static volatile int over;
static unsigned eintr, waits;

static void *waiter(void *arg)
{
	int fd = epoll_create1(0);
	struct epoll_event e;

	for (; !over; waits++)
		if (epoll_wait(fd, &e, 1, 20) < 0 && errno == EINTR) eintr++;
	return arg;
}

int main(void)
{
	pthread_t t;
	char c;

	pthread_create(&t, NULL, waiter, NULL);
	puts("ready");
	fflush(stdout);
	if (!vfork()) {
		while (read(0, &c, 1) > 0) ;
		_exit(0);
	}
	over = 1;
	pthread_join(t, NULL);
	printf("eintr %u waits %u\n", eintr, waits);
	return 0;
}
