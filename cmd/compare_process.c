/* compare_process.c: see compare_process.h. With ptrace only the first thread is seized, and of it only the exit is asked for: system calls
 * and other threads run as ever. Each signal that the first thread gets stops it for some microseconds, which cannot be had otherwise. */
#include "cmd/compare_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "inspect/model/plain.h"
#include "inspect/target/err.h"

enum { NOT_EXECUTED = 127, EVENT_SHIFT = 16, WORDS_KEPT = 1 << 16 };
static const double slice_s = 0.5;      /* a look without news, in case some was lost */

static sigset_t news, before;
static int interrupted;
static struct sigaction child_before;

double process_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void process_begin(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction by_default = { .sa_handler = SIG_DFL };

	sigemptyset(&news);
	sigaddset(&news, SIGCHLD);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct sigaction now;
		/* what was ignored when we came, as by nohup, stays so; blocked, it would be seen */
		if (!sigaction(ends[i], NULL, &now) && now.sa_handler != SIG_IGN) sigaddset(&news, ends[i]);
	}
	sigaction(SIGCHLD, &by_default, &child_before);
	sigprocmask(SIG_BLOCK, &news, &before);
	interrupted = 0;
}

void process_over(void)
{
	sigaction(SIGCHLD, &child_before, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

int process_interrupted(void) { return interrupted; }

/* What the child tells before it becomes another program: what it has used until then, and errno if that failed. */
struct report { struct rusage self; int sys; };

static int redirect(const struct process_order *o, int words)
{
	int in = open(o->input ? o->input : "/dev/null", O_RDONLY), null = open("/dev/null", O_WRONLY);

	if (in < 0 || null < 0 || dup2(in, STDIN_FILENO) < 0) return -1;
	if (dup2(o->show ? STDERR_FILENO : null, STDOUT_FILENO) < 0) return -1;
	if (!o->show && dup2(words >= 0 ? words : null, STDERR_FILENO) < 0) return -1;
	if (in > STDERR_FILENO) close(in);
	if (null > STDERR_FILENO) close(null);
	return 0;
}

static void become(const struct process_order *o, int words, int gate, int back)
{
	struct report r = { 0 };
	char go;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(gate, &go, 1) != 1) _exit(NOT_EXECUTED);
	sigaction(SIGCHLD, &child_before, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (redirect(o, words)) r.sys = errno;
	getrusage(RUSAGE_SELF, &r.self);
	if (write(back, &r, sizeof r) != sizeof r || r.sys) _exit(NOT_EXECUTED);
	execvpe(o->argv[0], o->argv, o->envp);
	r.sys = errno;
	if (write(back, &r, sizeof r) < 0) _exit(NOT_EXECUTED);
	_exit(NOT_EXECUTED);
}

static int refuse(const struct process_order *o, int sys, struct err *e)
{
	err_sys(e, sys, "compare: starting %s", o->argv[0]);
	if (e->kind == ERR_GONE) e->kind = ERR_FAIL;    /* a file is missing, not a target */
	return -1;
}

int process_start(struct process *p, const struct process_order *o, struct err *e)
{
	int gate[2], back[2];
	struct report r = { 0 };

	*p = (struct process){ .order = o, .words = -1 };
	if (pipe2(gate, O_CLOEXEC)) return refuse(o, errno, e);
	if (pipe2(back, O_CLOEXEC)) {
		int sys = errno;
		close(gate[0]), close(gate[1]);
		return refuse(o, sys, e);
	}
	if (o->keep_words && !o->show) p->words = memfd_create("alloctop-compare", MFD_CLOEXEC);
	fflush(NULL);
	p->pid = fork();
	if (p->pid == 0) become(o, p->words, gate[0], back[1]);
	int sys = errno;
	close(gate[0]), close(back[1]);
	if (p->pid > 0) {
		setpgid(p->pid, p->pid);
		p->traced = o->trace && !ptrace(PTRACE_SEIZE, p->pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
		p->began = process_clock();
		sys = write(gate[1], "", 1) == 1 ? 0 : errno;
	}
	close(gate[1]);
	while (p->pid > 0 && read(back[0], &r, sizeof r) == sizeof r && !r.sys) {}      /* exec closes it */
	close(back[0]);
	p->copy = r.self;
	if (!r.sys) r.sys = p->pid < 0 ? sys : 0;
	return r.sys ? refuse(o, r.sys, e) : 0;
}

/* It stands still; what for? */
static void stopped(struct process *p, int status)
{
	int event = status >> EVENT_SHIFT, sig = WSTOPSIG(status);

	p->stops++;
	if (event == PTRACE_EVENT_EXIT) {
		double since = process_clock();
		if (p->order->at_exit && p->order->at_exit(p->pid, p->order->arg)) p->looked_s += process_clock() - since;
		ptrace(PTRACE_CONT, p->pid, 0, 0);
	} else if (event == PTRACE_EVENT_STOP) {
		/* stopped by SIGSTOP and the like, until it is continued; or on its way out of that */
		ptrace(sig == SIGTRAP ? PTRACE_CONT : PTRACE_LISTEN, p->pid, 0, 0);
	} else {
		ptrace(PTRACE_CONT, p->pid, 0, (long)sig);
	}
}

static int poll_child(struct process *p)
{
	int status;

	while (!p->ended && wait4(p->pid, &status, __WALL | WNOHANG, &p->usage) == p->pid) {
		if (WIFSTOPPED(status)) {
			stopped(p, status);
			continue;
		}
		p->over = process_clock() - p->looked_s;
		p->ended = 1;
		p->status = status;
	}
	return p->ended;
}

/* Not by seeking: the place is shared with those who write. */
static off_t words_size(const struct process *p)
{
	struct stat st;

	return p->words >= 0 && !fstat(p->words, &st) ? st.st_size : 0;
}

/* Of what it says only the end is wanted. */
static void forget_words(const struct process *p)
{
	off_t size = words_size(p), old = (size - WORDS_KEPT) & -4096;

	if (size > 2 * WORDS_KEPT) fallocate(p->words, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, old);
}

static int wait_until(struct process *p, double deadline, int regardless)
{
	while (!poll_child(p) && (regardless || !interrupted)) {
		double left = deadline - process_clock();
		forget_words(p);
		if (left <= 0) break;
		if (left > slice_s) left = slice_s;
		struct timespec ts = { 0, (long)(left * 1e9) };
		int sig = sigtimedwait(&news, NULL, &ts);
		if (sig > 0 && sig != SIGCHLD) interrupted = 1;
	}
	return p->ended;
}

int process_wait(struct process *p, double seconds)
{
	return wait_until(p, seconds < 0 ? 1e300 : process_clock() + seconds, 0);
}

int process_end(struct process *p, double grace_s)
{
	if (p->pid <= 0 || p->ended) return 0;
	kill(p->pid, SIGTERM);
	kill(p->pid, SIGCONT);
	if (wait_until(p, process_clock() + grace_s, 1)) return 0;
	kill(-p->pid, SIGKILL);
	kill(p->pid, SIGKILL);
	wait_until(p, 1e300, 1);
	return 1;
}

const char *process_words(const struct process *p, char buf[PROCESS_WORDS])
{
	char text[2048], *line, *end;
	off_t size = words_size(p), from = size > (off_t)sizeof text - 1 ? size - (off_t)sizeof text + 1 : 0;
	ssize_t n = size > 0 ? pread(p->words, text, sizeof text - 1, from) : 0;

	for (end = text + (n > 0 ? n : 0); end > text && strchr(" \t\r\n", end[-1]); end--) {}
	*end = 0;
	line = strrchr(text, '\n');
	snprintf(buf, PROCESS_WORDS, "%.*s", PROCESS_WORDS - 1, line ? line + 1 : text);
	return plain_text(buf);
}

void process_close(struct process *p)
{
	if (p->pid > 0 && !p->ended) {
		kill(-p->pid, SIGKILL);
		kill(p->pid, SIGKILL);
		wait_until(p, 1e300, 1);
	}
	if (p->words >= 0) close(p->words);
	p->words = -1;
}
