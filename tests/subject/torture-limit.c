/* torture-limit: little is allowed: descriptors, memory, file sizes, system calls. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "torture.h"

static void *brief(void *arg)
{
	churn(20);
	return arg;
}

static void threads(int n)
{
	for (int i = 0; i < n; i++) {
		pthread_t t;
		CHECK(!pthread_create(&t, NULL, brief, NULL) && !pthread_join(t, NULL), "thread %d", i);
	}
}

static void child(void)
{
	int s;
	pid_t pid = fork();
	if (!pid) {
		churn(20);
		_exit(7);
	}
	CHECK(pid > 0 && wait4(pid, &s, 0, NULL) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "a child ended with %#x", s);
}

static void limited(int what, rlim_t n)
{
	struct rlimit r = { n, n };
	CHECK(!setrlimit(what, &r), "setrlimit");
	churn(50);
	threads(3);
	child();
	churn(50);
}

static void no_files(void) { limited(RLIMIT_NOFILE, 0); }
static void no_file_size(void) { limited(RLIMIT_FSIZE, 0); }
static void no_locked(void) { limited(RLIMIT_MEMLOCK, 0); }
static void small_stack(void) { limited(RLIMIT_STACK, 64 << 10); }
static void no_core(void) { limited(RLIMIT_CORE, 0); }

static unsigned descriptors(void)
{
	unsigned n = 0;
	for (int fd = 0; fd < 2048; fd++) n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* In a child nothing is closed either when the agent begins anew: what stands at the segment's old number may be somebody else's. */
static void child_with_descriptors(void)
{
	int s;
	pid_t pid = fork();
	if (!pid) {
		unsigned n = descriptors();
		churn(20);
		threads(1);
		_exit(descriptors() == n ? 7 : 8);
	}
	CHECK(pid > 0 && waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "a child ended with %#x", s);
}

/* The lowest free numbers are ours, before and after everything was closed; whatever is closed and opened stays as it is. */
static void numbers(void)
{
	struct stat st[3], now;
	pthread_t t;
	CHECK(!pthread_create(&t, NULL, brief, NULL) && !pthread_join(t, NULL), "thread");
	usleep(50000);  /* the agent's thread is there by now, if it wants to */
	int a = open("/dev/null", O_RDWR), b = open("/dev/zero", O_RDONLY);
	CHECK(a == 3 && b == 4, "the next descriptors are %d, %d", a, b);
	for (int round = 0; round < 3; round++) {
		int out = dup(1);
		CHECK(out >= 0, "dup");
		for (int fd = 0; fd < 4096; fd++)
			if (fd != out) close(fd);
		churn(50);
		CHECK(open("/dev/null", O_RDWR) == 0 && dup(0) == 1 && open("/dev/zero", O_RDONLY) == 2, "not 0, 1, 2");
		for (int fd = 0; fd < 3; fd++) fstat(fd, &st[fd]);
		for (int fd = 3; fd < 2000; fd++)
			if (fd != out) dup2(0, fd);
		churn(50);
		threads(2);
		child_with_descriptors();
		for (int fd = 0; fd < 3; fd++)
			CHECK(!fstat(fd, &now) && now.st_ino == st[fd].st_ino && now.st_rdev == st[fd].st_rdev, "descriptor %d has changed", fd);
		for (int fd = 3; fd < 1000; fd++)
			if (fd != out) CHECK(!fstat(fd, &now) && now.st_rdev == st[0].st_rdev, "descriptor %d has changed", fd);
		for (int fd = 3; fd < 2000; fd++)
			if (fd != out) close(fd);
		CHECK(dup2(out, 1) == 1 && !close(out), "dup2");
	}
}

#ifdef __GLIBC__
#define CLOSE_FROM(fd) closefrom(fd)
#else
#define CLOSE_FROM(fd) syscall(SYS_close_range, fd, ~0u, 0)
#endif

/* All at once, whatever is there, as before an exec or in a daemon; in a child too, while threads allocate. */
static void close_from(void)
{
	threads(1);
	usleep(50000);
	for (int round = 0; round < 3; round++) {
		int a = open("/dev/zero", O_RDONLY), b = open("/dev/zero", O_RDONLY);
		CHECK(a == 3 && b == 4, "the next descriptors are %d, %d", a, b);
		CLOSE_FROM(3);
		CHECK(fcntl(a, F_GETFD) < 0 && errno == EBADF && fcntl(b, F_GETFD) < 0, "not closed");
		churn(50);
		threads(2);
		child();
		pid_t pid = fork();
		int s;
		if (!pid) {
			CLOSE_FROM(0);
			churn(50);
			threads(2);
			_exit(open("/dev/null", O_RDWR) == 0 && open("/dev/null", O_RDWR) == 1 ? 7 : 8);
		}
		CHECK(pid > 0 && waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "a child ended with %#x", s);
	}
}

/* How much a limit of address space, set before the program began, leaves to it. The test compares. */
static void space(void)
{
	struct rlimit r;
	size_t n = 0;
	CHECK(!getrlimit(RLIMIT_AS, &r) && r.rlim_cur != RLIM_INFINITY, "no limit is set");
	churn(50);
	while (malloc(1 << 20)) n++;
	CHECK(errno == ENOMEM, "errno %d", errno);
	printf("%zu MiB\n", n);
}

/* How much is left under a limit that the program sets itself: nearly all of it. */
static void lowered(int what)
{
	enum { LIMIT = 64, LEAST = 54 };
	struct rlimit r = { LIMIT << 20, LIMIT << 20 };
	size_t n = 0;
	churn(50);
	CHECK(what == RLIMIT_AS ? !setrlimit(what, &r) : !prlimit(0, what, &r, NULL), "limit: %s", strerror(errno));
	while (malloc(1 << 20)) n++;
	CHECK(errno == ENOMEM && n >= LEAST && n < LIMIT, "%zu of %d MiB, errno %d", n, LIMIT, errno);
}

static void space_later(void) { lowered(RLIMIT_AS); }
static void data_later(void) { lowered(RLIMIT_DATA); }

/* As a shell's `(ulimit -v ...)`; the parent keeps what it has. */
static void space_in_child(void)
{
	churn(50);
	for (int i = 0; i < 3; i++) {
		int s;
		pid_t pid = fork();
		if (!pid) {
			if (i == 1) churn(50);
			lowered(i == 2 ? RLIMIT_DATA : RLIMIT_AS);
			_exit(7);
		}
		CHECK(pid > 0 && waitpid(pid, &s, 0) == pid && WIFEXITED(s) && WEXITSTATUS(s) == 7, "child %d ended with %#x", i, s);
	}
	churn(50);
}

static void locked(void)
{
	struct rlimit r = { 16 << 20, 16 << 20 };
	setrlimit(RLIMIT_MEMLOCK, &r);
	churn(50);
	void *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!mlock(p, 1 << 20), "mlock");
	churn(50);
	threads(2);
}

/* All memory locked, within a limit that the program alone fits into: what is reserved counts. */
static void all_locked(void)
{
	struct rlimit r;
	churn(50);
	CHECK(!getrlimit(RLIMIT_MEMLOCK, &r), "getrlimit");
	if (r.rlim_max > 8 << 20) r.rlim_max = 8 << 20;
	r.rlim_cur = r.rlim_max;
	CHECK(!setrlimit(RLIMIT_MEMLOCK, &r) && !setuid(65534), "limit of %llu", (unsigned long long)r.rlim_max);
	CHECK(!mlockall(MCL_CURRENT), "mlockall: errno %d", errno);
	churn(50);
	threads(3);
	child();
	CHECK(!mlockall(MCL_CURRENT | MCL_FUTURE) || errno == ENOMEM, "mlockall: errno %d", errno);
	churn(50);
}

/* ---- seccomp ---- */

struct filter { uint16_t code; uint8_t jt, jf; uint32_t k; };
struct program { unsigned short n; struct filter *filter; };
enum { LOAD_NR = 0x20, EQUAL = 0x15, RETURN = 0x06, SET_SECCOMP = 22, NO_NEW_PRIVS = 38, SET_FILTER = 1, TSYNC = 1 };
#define KILL_PROCESS 0x80000000u
#define ALLOW 0x7fff0000u

static const int allowed[] = {
	SYS_read, SYS_write, SYS_exit, SYS_exit_group, SYS_futex, SYS_mmap, SYS_munmap, SYS_mremap, SYS_brk, SYS_madvise, SYS_mprotect,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_clone, SYS_clone3, SYS_fork, SYS_set_robust_list, SYS_rseq,
	SYS_gettid, SYS_getpid, SYS_close, SYS_sched_yield, SYS_tgkill, SYS_wait4, SYS_set_tid_address, SYS_membarrier,
};
enum { ALLOWED = sizeof allowed / sizeof *allowed };

static struct program program_of(struct filter *f)
{
	unsigned short n = 0;
	f[n++] = (struct filter){ LOAD_NR, 0, 0, 0 };
	for (unsigned i = 0; i < ALLOWED; i++) {
		f[n++] = (struct filter){ EQUAL, 0, 1, (uint32_t)allowed[i] };
		f[n++] = (struct filter){ RETURN, 0, 0, ALLOW };
	}
	f[n++] = (struct filter){ RETURN, 0, 0, KILL_PROCESS };
	return (struct program){ n, f };
}

static void all_paths(void)
{
	churn(500);
	threads(5);
	for (int i = 0; i < 5; i++) child();
	churn(500);
	free(keep(malloc(8 << 20)));
	threads(5);
}

/* Without stdio, which looks at its descriptor first. */
static void passed(const char *mode)
{
	char text[64];
	int n = snprintf(text, sizeof text, "ok %s\n", mode);
	_exit(write(1, text, (size_t)n) != n);
}

static void filter_as(const char *mode)
{
	struct filter f[2 * ALLOWED + 2];
	struct program p = program_of(f);
	CHECK(!prctl(NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(SET_SECCOMP, 2, &p, 0, 0), "filter: %s", strerror(errno));
	all_paths();
	passed(mode);
}

static void filter(void)
{
	churn(50);
	filter_as("filter");
}

/* With threads already running, for this one only. */
static void filter_beside_threads(void)
{
	threads(3);
	usleep(50000);
	filter_as("filter-beside-threads");
}

/* For all threads at once, the agent's too: it is given time to trip over it. */
static void filter_for_all(void)
{
	struct filter f[2 * ALLOWED + 2];
	struct program p = program_of(f);
	threads(3);
	usleep(50000);
	CHECK(!prctl(NO_NEW_PRIVS, 1, 0, 0, 0) && !syscall(SYS_seccomp, SET_FILTER, TSYNC, &p), "filter: %s", strerror(errno));
	all_paths();
	for (struct timespec t0 = { 0 }, t; clock_gettime(CLOCK_MONOTONIC, &t), t0.tv_sec || (t0 = t, 1), t.tv_sec - t0.tv_sec < 3;) churn(1);
	passed("filter-for-all");
}

static void in_child(void (*enter)(void))
{
	int s;
	churn(50);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();
		if (!pid) {
			if (i) threads(1);
			enter();
		}
		CHECK(pid > 0 && waitpid(pid, &s, 0) == pid && WIFEXITED(s) && !WEXITSTATUS(s), "child %d ended with %#x", i, s);
	}
}

/* As sshd, or a browser's renderer: nothing was allocated between the fork and the filter; or much, and threads were there. */
static void filter_here(void) { filter_as("filter in a child"); }
static void filter_in_child(void) { in_child(filter_here); }

static void filter_in_child_beside_threads(void)
{
	threads(3);
	usleep(50000);
	in_child(filter_here);
}

/* read, write, exit and nothing else: what the heap has already must be enough. */
static void strict_here(void)
{
	CHECK(!prctl(SET_SECCOMP, 1, 0, 0, 0), "strict: %s", strerror(errno));
	for (int i = 0; i < 100; i++) free(keep(malloc(200)));
	if (write(1, "ok strict\n", 10) == 10) syscall(SYS_exit, 0);
}

static void strict(void)
{
	free(keep(malloc(60000)));
	churn(50);
	strict_here();
}

static void strict_in_child(void)
{
	free(keep(malloc(60000)));
	in_child(strict_here);
}

static const struct mode modes[] = {
	{ "no-files", no_files }, { "no-file-size", no_file_size }, { "no-locked", no_locked }, { "small-stack", small_stack },
	{ "no-core", no_core }, { "numbers", numbers }, { "closefrom", close_from }, { "space", space }, { "space-later", space_later },
	{ "data-later", data_later }, { "space-in-child", space_in_child }, { "locked", locked }, { "all-locked", all_locked }, { "filter", filter },
	{ "filter-beside-threads", filter_beside_threads }, { "filter-for-all", filter_for_all }, { "strict", strict },
	{ "filter-in-child", filter_in_child }, { "filter-in-child-beside-threads", filter_in_child_beside_threads }, { "strict-in-child", strict_in_child },
};
TORTURE_MAIN(modes)
