/* proc.c: what is read of ourselves and of children with awkward names, against what we know of them. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "inspect/target/proc.h"

static int count, failed;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed |= !good;
}

struct seen { pid_t last, self; int ascending, found, calls; };

static int see(pid_t pid, void *arg)
{
	struct seen *s = arg;
	s->ascending &= pid > s->last;
	s->last = pid;
	s->found |= pid == s->self;
	s->calls++;
	return 0;
}

static int stop(pid_t pid, void *arg)
{
	++*(int *)arg;
	return pid ? 42 : 0;
}

static pid_t tid;
static pthread_barrier_t barrier;

static void *named(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	pthread_setname_np(pthread_self(), "worker) 1\n(");
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void ourselves(void)
{
	struct proc p;
	struct err e;
	char exe[PATH_MAX] = "", name[16];
	pthread_t t;
	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&t, NULL, named, NULL);
	pthread_barrier_wait(&barrier);
	if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0) exit(1);
	prctl(PR_SET_NAME, "odd) R 1 (\n");
	ok(!proc_read(&p, getpid(), &e), "we exist");
	ok(p.pid == getpid() && p.ppid == getppid() && p.inner_pid == getpid() && p.uid == geteuid(), "pid, parent, user");
	ok(!strcmp(p.comm, "odd) R 1 (?"), "a name with parentheses and a newline");
	ok(p.state == 'R' && p.threads == 2, "state, threads");
	ok(!strncmp(p.exe, exe, sizeof p.exe - 1), "exe");
	ok(strstr(p.cmdline, "proc") && p.rss_bytes > 100000 && p.vm_bytes > p.rss_bytes, "arguments and sizes");
	ok(p.start_ticks > 0 && p.uptime_s >= 0 && p.uptime_s < 3600, "start");
	proc_thread_name(getpid(), tid, name);
	ok(!strncmp(name, "worker) 1", 9), "name of a thread");
	proc_thread_name(getpid(), 0x7ffffffe, name);
	ok(!*name, "no name of no thread");
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
}

static void children(void)
{
	struct proc p;
	struct err e;
	siginfo_t info;
	int fd[2];
	char byte;
	if (pipe(fd)) exit(1);
	pid_t child = fork();
	if (!child) {
		dup2(fd[1], 1);
		execl("/bin/sh", "sh", "-c", "echo ready; kill -STOP $$", "two words", "\033[31m", (char *)NULL);
		_exit(127);
	}
	if (read(fd[0], &byte, 1) != 1) exit(1);
	ok(!proc_read(&p, child, &e) && p.ppid == getpid() && !strcmp(p.cmdline, "sh -c echo ready; kill -STOP $$ two words ?[31m"),
	   "a child's arguments, without control characters");
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	ok(!proc_read(&p, child, &e) && p.state == 'Z' && !strcmp(p.cmdline, "[sh]") && !*p.exe && !p.rss_bytes, "a zombie");
	waitpid(child, NULL, 0);
	ok(proc_read(&p, child, &e) == -1 && e.kind == ERR_GONE, "a process that went away");
	ok(proc_read(&p, -1, &e) == -1 && e.kind == ERR_GONE && proc_read(&p, 0, &e) == -1, "no process has such a number");
}

int main(void)
{
	struct err e;
	puts("1..18");
	ourselves();
	children();
	struct seen s = {.self = getpid(), .ascending = 1};
	ok(!proc_each(see, &s, &e) && s.found && s.ascending && s.calls > 1, "each process, in order");
	struct proc again;
	ok(!proc_read(&again, getpid(), &e) && again.stack_start, "where its stack begins");
	struct proc was = again;
	ok(!proc_again(&again) && again.rss_bytes && again.threads == 1 && !strcmp(again.cmdline, was.cmdline), "read again");
	again.stack_start++;
	was = again;
	ok(proc_again(&again) && !memcmp(&again, &was, sizeof was), "another program since then: nothing is changed");
	int calls = 0;
	ok(proc_each(stop, &calls, &e) == 42 && calls == 1, "until one says stop");
	return failed;
}
