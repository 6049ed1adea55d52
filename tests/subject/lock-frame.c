/* lock-frame: two threads wait on a futex of their own making, each in a function whose frame only rbp tells, called through a pointer: neither
 * rules nor a search lead out of it without that register. Runs until its standard input ends. */
#include <alloca.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t word = 2;
static volatile size_t size = 100;

static __attribute__((noinline)) void wait_here(volatile char *room)
{
	volatile char *more = alloca(size);

	for (;;) {
		*more = *room;
		syscall(SYS_futex, &word, 128 /* FUTEX_WAIT_PRIVATE */, 2, NULL, NULL, 0);
	}
}

static void (*volatile indirect)(volatile char *) = wait_here;

static __attribute__((noinline)) void by_pointer(void)
{
	volatile char *room = alloca(size);

	*room = 1;
	indirect(room);
	*room = 2;
}

static void *run(void *arg)
{
	by_pointer();
	return arg;
}

int main(void)
{
	pthread_t t;
	char b;

	for (int i = 0; i < 2; i++) pthread_create(&t, NULL, run, NULL);
	while (read(0, &b, 1) > 0) {}
	return 0;
}
