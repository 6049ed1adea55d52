/* torture-thread: threads that are many, short, small, changing their user, or ending in destructors that allocate. */
#include <dirent.h>
#include <limits.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include "torture.h"

static pthread_key_t key;
static int destroyed, stop;

static void *brief(void *arg)
{
	churn(3);
	return arg;
}

/* 10,000, of which up to 16 live at a time; some leave a block for another thread to free. */
static void *leaves_block(void *arg)
{
	(void)arg;
	churn(2);
	return keep(malloc(500));
}

static void many(void)
{
	pthread_t t[16];
	for (int round = 0; round < 10000 / 16; round++) {
		for (int i = 0; i < 16; i++)
			CHECK(!pthread_create(&t[i], NULL, i & 1 ? brief : leaves_block, NULL), "no thread, round %d", round);
		for (int i = 0; i < 16; i++) {
			void *p;
			CHECK(!pthread_join(t[i], &p), "join");
			free(p);
		}
	}
}

static void detached(void)
{
	pthread_attr_t a;
	pthread_t t;
	pthread_attr_init(&a);
	pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 1000; i++) {
		while (pthread_create(&t, &a, brief, NULL)) usleep(1000);
		churn(2);
	}
}

static void *fills(void *arg)
{
	void *p[100];
	for (int i = 0; i < 100; i++) p[i] = keep(malloc((size_t)i * 50));
	for (int i = 0; i < 100; i++) free(p[i]);
	churn(200);
	return arg;
}

static void with_stack(size_t size)
{
	for (int i = 0; i < 50; i++) {
		pthread_attr_t a;
		pthread_t t;
		pthread_attr_init(&a);
		CHECK(!pthread_attr_setstacksize(&a, size), "stack size %zu", size);
		CHECK(!pthread_create(&t, &a, fills, NULL), "no thread");
		CHECK(!pthread_join(t, NULL), "join");
	}
}

static void stack32k(void) { with_stack(32 << 10); }
static void stack_min(void) { with_stack(PTHREAD_STACK_MIN > 16384 ? (size_t)PTHREAD_STACK_MIN : 16384); }

/* Every round of destructors sets its key again: the agent's own may run before, between or after. */
static void destructor(void *arg)
{
	long round = (long)arg;
	churn(20);
	__atomic_fetch_add(&destroyed, 1, __ATOMIC_RELAXED);
	if (round < 3) pthread_setspecific(key, (void *)(round + 1));
	churn(20);
}

static void *with_key(void *arg)
{
	pthread_setspecific(key, (void *)1L);
	churn(10);
	return arg;
}

static void destructors(void)
{
	pthread_key_t more[20];
	pthread_t t[8];
	CHECK(!pthread_key_create(&key, destructor), "key");
	for (int i = 0; i < 20; i++) CHECK(!pthread_key_create(&more[i], free), "key");
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 8; i++) CHECK(!pthread_create(&t[i], NULL, with_key, NULL), "no thread");
		for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
	}
	CHECK(destroyed == 50 * 8 * 3, "%d destructor calls", destroyed);
}

/* The program may use all keys there are but one. */
static void all_keys(void)
{
	pthread_key_t k;
	int n = 0;
	while (!pthread_key_create(&k, free)) n++;
	CHECK(n >= PTHREAD_KEYS_MAX - 4, "only %d keys", n);
	pthread_t t[8];
	for (int i = 0; i < 8; i++) CHECK(!pthread_create(&t[i], NULL, brief, NULL), "no thread");
	for (int i = 0; i < 8; i++) pthread_join(t[i], NULL);
}

static void *outlives(void *arg)
{
	usleep(20000);
	churn(50);
	if (write(1, "ok last-thread\n", 15) != 15) _exit(1);
	return arg;
}

/* The process ends with its last thread, not before and not later: the main thread leaves first. */
static void last_thread(void)
{
	pthread_t t[3];
	for (int i = 0; i < 2; i++) CHECK(!pthread_create(&t[i], NULL, brief, NULL) && !pthread_join(t[i], NULL), "thread");
	CHECK(!pthread_create(&t[2], NULL, outlives, NULL), "thread");
	pthread_exit(NULL);
}

/* The same in a child that was forked by a thread. */
static __attribute__((unused)) void *forks(void *arg)
{
	pid_t pid = fork();
	int s;
	pthread_t t;
	if (!pid) {
		CHECK(!pthread_create(&t, NULL, brief, NULL) && !pthread_join(t, NULL), "thread");
		return arg;
	}
	CHECK(waitpid(pid, &s, 0) == pid && WIFEXITED(s) && !WEXITSTATUS(s), "child ended with %#x", s);
	return arg;
}

static __attribute__((unused)) void last_thread_forked(void)
{
	for (int i = 0; i < 20; i++) {
		pthread_t t;
		CHECK(!pthread_create(&t, NULL, forks, NULL) && !pthread_join(t, NULL), "thread");
	}
}

static void *waits(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) churn(5);
	return arg;
}

/* Cancelled while they allocate, at their own cancellation points. */
static void *cancellable(void *arg)
{
	for (;;) {
		churn(5);
		pthread_testcancel();
	}
	return arg;
}

static void cancel(void)
{
	for (int i = 0; i < 300; i++) {
		pthread_t t;
		void *r;
		CHECK(!pthread_create(&t, NULL, cancellable, NULL), "no thread");
		pthread_cancel(t);
		CHECK(!pthread_join(t, &r) && r == PTHREAD_CANCELED, "not cancelled");
	}
}

/* The four Uids and Gids of every thread, the agent's own too. Returns how many threads there are. */
static int all_threads_have(const char *what, const char *want)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	int n = 0;
	CHECK(d, "/proc/self/task");
	while ((e = readdir(d))) {
		char path[300], line[256];
		size_t k = strlen(what);
		if (*e->d_name == '.') continue;
		snprintf(path, sizeof path, "/proc/self/task/%s/status", e->d_name);
		FILE *f = fopen(path, "r");
		if (!f) continue;
		while (fgets(line, sizeof line, f))
			if (!strncmp(line, what, k)) {
				line[strcspn(line, "\n")] = 0;
				CHECK(!strcmp(line + k, want), "thread %s has %s, not %s", e->d_name, line, want);
				n++;
			}
		fclose(f);
	}
	closedir(d);
	return n;
}

/* As a service that starts as root, has threads, and drops its privileges. Without root there is nothing to drop. */
static void users(void)
{
	pthread_t t[4];
	if (getuid()) return;
	for (int i = 0; i < 4; i++) CHECK(!pthread_create(&t[i], NULL, waits, NULL), "no thread");
	usleep(100000); /* the agent's thread is there by now, if it wants to */
	for (int i = 0; i < 20; i++) {
		CHECK(!setegid(65534) && !seteuid(65534), "seteuid: %s", strerror(errno));
		CHECK(all_threads_have("Uid:", "\t0\t65534\t0\t65534") >= 5, "threads are missing");
		churn(20);
		CHECK(!seteuid(0) && !setegid(0), "seteuid back: %s", strerror(errno));
	}
	CHECK(!setresgid(65534, 65534, 65534) && !setresuid(1000, 65534, 0), "setresuid");
	CHECK(all_threads_have("Uid:", "\t1000\t65534\t0\t65534") >= 5, "threads are missing");
	CHECK(!seteuid(0) && !setuid(65534), "setuid");
	CHECK(all_threads_have("Uid:", "\t65534\t65534\t65534\t65534") >= 5, "threads are missing");
	CHECK(all_threads_have("Gid:", "\t65534\t65534\t65534\t65534") >= 5, "threads are missing");
	churn(100);
	stop = 1;
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
	CHECK(setuid(0) == -1, "root came back");
}

static const struct mode modes[] = {
	{ "many", many }, { "detached", detached }, { "stack-32k", stack32k }, { "stack-min", stack_min },
	{ "destructors", destructors }, { "all-keys", all_keys }, { "cancel", cancel }, { "users", users }, { "last-thread", last_thread },
#ifdef __GLIBC__
	{ "last-thread-forked", last_thread_forked },   /* musl 1.2.3 itself locks up in it */
#endif
};
TORTURE_MAIN(modes)
