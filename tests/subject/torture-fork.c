/* torture-fork: new processes of every kind, while memory is in use. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "torture.h"

extern char **environ;
static int stop;

static void expect(pid_t pid, int status)
{
	int s;
	CHECK(pid > 0, "no child: %s", strerror(errno));
	CHECK(waitpid(pid, &s, __WALL) == pid, "waitpid: %s", strerror(errno));
	CHECK(WIFEXITED(s) && WEXITSTATUS(s) == status, "child ended with %#x", s);
}

static void *busy(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) churn(20);
	return arg;
}

static void storm(void)
{
	pid_t pid[20];
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 20; i++)
			if (!(pid[i] = fork())) {
				churn(30);
				_exit(7);
			}
		churn(10);
		for (int i = 0; i < 20; i++) expect(pid[i], 7);
	}
}

/* Each child is the parent of the next. */
static void chain(void)
{
	void *old = keep(malloc(1000));
	for (int depth = 0; depth < 40; depth++) {
		pid_t pid = fork();
		if (pid) {
			expect(pid, 7);
			if (depth) _exit(7);
			return;
		}
		churn(10);
		free(old);
		old = keep(malloc(1000));
	}
	_exit(7);
}

static void beside_threads(void)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++) CHECK(!pthread_create(&t[i], NULL, busy, NULL), "no thread");
	for (int i = 0; i < 150; i++) {
		pid_t pid = fork();
		if (!pid) {
			churn(20);
			_exit(7);
		}
		expect(pid, 7);
	}
	stop = 1;
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
}

static void *forker(void *arg)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();
		if (!pid) {
			churn(20);
			_exit(7);
		}
		expect(pid, 7);
		churn(20);
	}
	return arg;
}

static void in_threads(void)
{
	pthread_t t[4];
	for (int i = 0; i < 4; i++) CHECK(!pthread_create(&t[i], NULL, forker, NULL), "no thread");
	for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
}

/* A child that has threads of its own, and ends with exit(). */
static void threads_in_child(void)
{
	for (int round = 0; round < 5; round++) {
		pid_t pid = fork();
		if (!pid) {
			pthread_t t[3];
			stop = 0;
			for (int i = 0; i < 3; i++) CHECK(!pthread_create(&t[i], NULL, busy, NULL), "no thread");
			churn(500);
			stop = 1;
			for (int i = 0; i < 3; i++) pthread_join(t[i], NULL);
			exit(7);
		}
		expect(pid, 7);
	}
}

/* Blocks change hands: what the parent allocated, the child frees, and the parent still has it. */
static void inherited(void)
{
	enum { N = 5000 };
	static char *p[N];
	for (int i = 0; i < N; i++) {
		p[i] = keep(malloc(100 + (size_t)i % 100));
		memset(p[i], i & 127, 100);
	}
	for (int round = 0; round < 4; round++) {
		pid_t pid = fork();
		if (!pid) {
			for (int i = 0; i < N; i++) {
				CHECK(p[i][99] == (i & 127), "the child's copy is damaged");
				if (i & 1) free(p[i]);
				else CHECK((p[i] = keep(realloc(p[i], 3000))), "realloc");
			}
			_exit(7);
		}
		expect(pid, 7);
	}
	for (int i = 0; i < N; i++) {
		CHECK(p[i][0] == (i & 127) && p[i][99] == (i & 127), "the parent's block is damaged");
		free(p[i]);
	}
}

static void vfork_once(const char *program)
{
	pid_t pid = vfork();
	if (!pid) {
		execl(program, "sh", "-c", "exit 7", (char *)0);
		_exit(9);
	}
	expect(pid, *program == '.' ? 9 : 7);
}

static void vfork_exec(void)
{
	for (int i = 0; i < 100; i++) {
		vfork_once("/bin/sh");
		churn(10);
	}
	vfork_once("./no such program");
}

static void spawn(void)
{
	char *argv[] = { "sh", "-c", "exit 7", NULL };
	pthread_t t[2];
	for (int i = 0; i < 2; i++) CHECK(!pthread_create(&t[i], NULL, busy, NULL), "no thread");
	for (int i = 0; i < 100; i++) {
		pid_t pid;
		CHECK(!posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), "posix_spawn");
		expect(pid, 7);
		churn(10);
	}
	stop = 1;
	for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
	FILE *f = popen("exit 7", "r");
	CHECK(f && WEXITSTATUS(pclose(f)) == 7, "popen");
	CHECK(WEXITSTATUS(system("exit 7")) == 7, "system");
}

static int cloned(void *arg)
{
	(void)arg;
	churn(50);
	return 7;
}

static char *child_stack(void)
{
	char *s = mmap(NULL, 256 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(s != MAP_FAILED, "mmap");
	return s;
}

/* No CLONE_VM: a fork that no atfork handler sees. */
static void raw_clone(void)
{
	char *s = child_stack();
	for (int i = 0; i < 50; i++) {
		expect(clone(cloned, s + (256 << 10), SIGCHLD, NULL), 7);
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		if (!pid) {
			churn(20);
			_exit(7);
		}
		expect(pid, 7);
		churn(10);
	}
	munmap(s, 256 << 10);
}

/* CLONE_VM without CLONE_THREAD: another process in the same memory, and with the same TLS. */
static void raw_clone_vm(void)
{
	char *s = child_stack();
	for (int i = 0; i < 50; i++) {
		expect(clone(cloned, s + (256 << 10), CLONE_VM | SIGCHLD, NULL), 7);
		churn(10);
		expect(clone(cloned, s + (256 << 10), CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, NULL), 7);
	}
	munmap(s, 256 << 10);
}

/* A daemon's beginning: two forks, no descriptor left. */
static void daemonise(void)
{
	int p[2];
	char c = 0;
	CHECK(!pipe(p), "pipe");
	void *early = keep(malloc(5000));
	pid_t pid = fork();
	if (!pid) {
		setsid();
		if (fork()) _exit(7);
		for (int fd = 0; fd < 4096; fd++)
			if (fd != p[1]) close(fd);
		churn(100);
		free(early);
		_exit(write(p[1], "x", 1) != 1);
	}
	expect(pid, 7);
	close(p[1]);
	CHECK(read(p[0], &c, 1) == 1 && c == 'x', "the daemon did not get through");
	free(early);
}

static const struct mode modes[] = {
	{ "storm", storm }, { "chain", chain }, { "beside-threads", beside_threads }, { "in-threads", in_threads },
	{ "threads-in-child", threads_in_child }, { "inherited", inherited }, { "vfork", vfork_exec },
	{ "spawn", spawn }, { "clone", raw_clone }, { "clone-vm", raw_clone_vm }, { "daemonise", daemonise },
};
TORTURE_MAIN(modes)
