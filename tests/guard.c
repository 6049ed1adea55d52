/* guard.c: `guard SECONDS CMD ARG…` runs one test and outlives it. When the command ends, or its time is over, everything it
 * started is killed, daemons included: the guard is the subreaper of them all. Exit status: the command's, 128+N when signal N
 * ended it, 124 when its time ran out, 125 when it could not be run. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* One round over our children. What dies here hands its own children to us, for the next round. */
static void kill_children(void)
{
	FILE *f = fopen("/proc/thread-self/children", "re");
	int pid;

	if (!f) return;
	while (fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(f);
}

static void sweep(void)
{
	for (int round = 0; round < 1000; round++) {
		kill_children();
		pid_t p;
		while ((p = waitpid(-1, NULL, WNOHANG)) > 0)
			;
		if (p < 0 && errno == ECHILD) return;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	fprintf(stderr, "guard: a process cannot be killed\n");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The command's wait status, or -1 when time or patience (a signal to us) ran out. */
static int attend(pid_t child, double deadline, const sigset_t *set)
{
	for (;;) {
		int status;
		pid_t p;
		while ((p = waitpid(-1, &status, WNOHANG)) > 0)
			if (p == child) return status;
		double left = deadline - now();
		if (left <= 0) return -1;
		struct timespec t = { (time_t)left, (long)((left - (double)(time_t)left) * 1e9) };
		int sig = sigtimedwait(set, NULL, &t);
		if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP) return -1;
	}
}

int main(int argc, char **argv)
{
	sigset_t set, old;

	if (argc < 3) return 125;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &old);

	pid_t child = fork();
	if (child < 0) return 125;
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		setsid();
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(125);
	}
	int status = attend(child, now() + atof(argv[1]), &set);
	sweep();
	if (status == -1) return 124;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
