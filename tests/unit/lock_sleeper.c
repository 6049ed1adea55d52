/* lock_sleeper: the stack of a thread that sleeps, taken while it sleeps, is the one it has when it is stopped; what a walk came to; a thread that
 * does not stop is let go. */
/* CFLAGS: -O1 -fomit-frame-pointer -fno-optimize-sibling-calls */
#include "inspect/lock/sleeper.h"

#include <alloca.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inspect/lock/stopper.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "tests/tap.h"

#define NOINLINE __attribute__((noinline))
#define KEEP __asm__ volatile("" ::: "memory")

enum { DEPTH = 64, FRAMES = 5 };

static uint32_t word;
static volatile int for_ever = 1;

/* ---- what the child does ---- */

static NOINLINE void fall_asleep(void)
{
	while (for_ever) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static NOINLINE void plain(int n)
{
	volatile char room[100];

	room[n] = 1;
	if (n) plain(n - 1);
	else fall_asleep();
	room[n] = room[0];
}

/* Its frame is told by rbp alone, and the C library's syscall() does not save that. */
static NOINLINE void by_rbp(int n)
{
	volatile char *room = alloca((size_t)n + 100);

	room[n] = 1;
	if (n) by_rbp(n - 1);
	else
		while (for_ever) syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	room[n] = room[0];
}

static NOINLINE void run_on(int n)
{
	for (;;) KEEP;
	(void)n;
}

/* ---- what is seen of it ---- */

struct child { pid_t pid; int task; struct target t; struct sleeper s; };

static int open_child(struct child *c, pid_t pid)
{
	struct err e;
	char path[64];

	c->pid = pid;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	c->task = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	c->s = (struct sleeper){ c->task, pid, -1 };
	return ok(c->task >= 0 && !target_open_pid(&c->t, pid, &e), "a child can be opened");
}

static void close_child(struct child *c)
{
	int status;

	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	close(c->task);
	target_close(&c->t);
}

static int begin(struct child *c, void (*fn)(int))
{
	pid_t pid = fork();

	if (!pid) {
		fn(FRAMES);
		_exit(1);
	}
	return open_child(c, pid);
}

static int await_call(const struct child *c, uint64_t number, struct sleeper_call *at)
{
	for (unsigned i = 0; i < 20000; i++) {
		if (sleeper_look(&c->s, at) == 1 && at->number == number) return 1;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return 0;
}

static struct unwound take_stopped(const struct child *c, uint64_t *pc)
{
	struct stopper *stopper = stopper_open(&c->t);
	struct unwinder *u = unwind_open(&c->t);
	const struct stopped *x = NULL;
	struct unwound w = { 0 };
	uint64_t token = 0;

	ok(stopper && !stopper_ask(stopper, &c->s, 42), "it is asked to stop");
	while (stopper && !stopper_answer(stopper, &x, &token)) nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	ok(x && token == 42 && x->call == SYS_futex && x->pause_us > 0, "it was stopped in its call");
	if (x) w = unwind_stack(u, &x->sample, pc, DEPTH);
	stopper_close(stopper);
	unwind_close(u);
	return w;
}

static void same_as_stopped(const char *what, void (*fn)(int), int wants)
{
	struct child c;
	struct sleeper_call at;
	static struct sleeper_stack copy;
	uint64_t asleep[DEPTH], stopped[DEPTH];

	if (!begin(&c, fn)) return;
	if (ok(await_call(&c, SYS_futex, &at) && at.arg[0] == (uintptr_t)&word, "%s: asleep", what)) {
		struct unwinder *u = unwind_open(&c.t);
		ok(sleeper_copy(&c.t, &c.s, &at, &copy) == SLEEPER_COPIED, "%s: it has not run since", what);
		struct unwound a = unwind_stack(u, &copy.sample, asleep, DEPTH), b = take_stopped(&c, stopped);
		ok(b.whole && !b.wants && b.n > FRAMES + 3, "%s: stopped, to its beginning: %u frames", what, b.n);
		ok(a.wants == wants && (a.scanned > 0) == wants, "%s: asleep, registers wanted: %d", what, a.wants);
		ok(a.n == b.n && !memcmp(asleep, stopped, a.n * sizeof *asleep), "%s: asleep, %u frames, the same", what, a.n);
		ok(a.whole, "%s: to its beginning", what);
		copy.sample.n = 200;
		a = unwind_stack(u, &copy.sample, asleep, DEPTH);
		ok(!a.whole && a.n < b.n && !memcmp(asleep, stopped, a.n * sizeof *asleep), "%s: of a piece of its stack, a piece", what);
		at.arg[0]++;
		ok(sleeper_copy(&c.t, &c.s, &at, &copy) == SLEEPER_RAN, "%s: another call than that", what);
		unwind_close(u);
	}
	close_child(&c);
}

static void running(void)
{
	struct child c;
	struct sleeper_call at = { .number = SYS_futex };
	static struct sleeper_stack copy;

	if (!begin(&c, run_on)) return;
	enum sleeper_copied got = SLEEPER_UNKNOWN;
	for (unsigned i = 0; i < 20000 && got == SLEEPER_UNKNOWN; i++) {        /* that has not run at all yet */
		got = sleeper_copy(&c.t, &c.s, &at, &copy);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	ok(got == SLEEPER_RAN, "one that runs");
	close_child(&c);
	ok(sleeper_look(&c.s, &at) == 0 && sleeper_copy(&c.t, &c.s, &at, &copy) != SLEEPER_COPIED, "one that is gone");
}

/* A parent in vfork cannot be stopped until its child lets it go. */
static void unstoppable(void)
{
	struct child c;
	int go[2], status = 0;
	char b;

	if (!ok(!pipe(go), "a pipe")) return;
	pid_t pid = fork();
	if (!pid) {
		close(go[1]);
		if (!vfork()) {
			while (read(go[0], &b, 1) < 0) {}
			_exit(0);
		}
		_exit(7);
	}
	close(go[0]);
	if (open_child(&c, pid)) {
		char state = 0, stat[512];
		for (unsigned i = 0; i < 20000 && state != 'D'; i++) {
			FILE *f = (snprintf(stat, sizeof stat, "/proc/%d/stat", (int)pid), fopen(stat, "re"));
			if (f && fgets(stat, sizeof stat, f) && strrchr(stat, ')')) state = strrchr(stat, ')')[2];
			if (f) fclose(f);
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		}
		ok(state == 'D', "a process that waits for its vforked child");
		struct stopper *s = stopper_open(&c.t);
		ok(s && !stopper_ask(s, &c.s, 1), "it is asked to stop");
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
		stopper_close(s);
		ok(1, "nobody waits for it for ever");
		close(go[1]);
		ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7, "it was let go: it goes on when it can");
		close(c.task);
		target_close(&c.t);
	}
}

int main(void)
{
	same_as_stopped("plain frames", plain, 0);
	same_as_stopped("frames by rbp", by_rbp, 1);
	running();
	unstoppable();
	return done();
}
