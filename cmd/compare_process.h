/* compare_process.h: a program that is started in order to be measured: in a process group of its own, its input and output elsewhere,
 * waited for with an end in sight. It dies with us. */
#ifndef ALLOCTOP_COMPARE_PROCESS_H
#define ALLOCTOP_COMPARE_PROCESS_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct err;

enum { PROCESS_WORDS = 160 };

struct process_order {
	char *const *argv;
	char *const *envp;
	const char *input;              /* its standard input; NULL: /dev/null */
	int show;                       /* what it prints goes to our standard error; else to /dev/null, */
	int keep_words;                 /* or, what it says on standard error, is kept for process_words */
	int trace;                      /* stop its first thread when that exits, and call at_exit while its memory is still there */
	int (*at_exit)(pid_t pid, void *arg);   /* 0: other threads go on meanwhile, so that its time is theirs */
	void *arg;
};

struct process {
	pid_t pid;                      /* also of its group */
	const struct process_order *order;
	double began, over;             /* CLOCK_MONOTONIC seconds, without the time for which at_exit held it up */
	struct rusage copy;             /* of it as our copy, before it was itself: is in `usage`, too; ru_maxrss the least that can say */
	int traced;                     /* 0 also when that was not permitted */
	unsigned stops;                 /* by us: at its exit, and for signals, which are handed on; each is a voluntary switch of it */
	int ended, status;              /* as waitpid has it */
	struct rusage usage;            /* of it and of its children that it waited for */
	double looked_s;
	int words;                      /* file descriptor, -1: none */
};

/* Around all others: takes the signals that end us and those of children as news to wait for. */
void process_begin(void);
void process_over(void);
/* ^C, or told to end: then all waiting ends early. */
int process_interrupted(void);

/* -1 with *e: it could not be executed. Ends with process_close in any case. */
int process_start(struct process *p, const struct process_order *o, struct err *e);
/* Waits until it has ended, at most so long; < 0: without a bound. Returns p->ended. */
int process_wait(struct process *p, double seconds);
/* SIGTERM, and SIGKILL for its whole group if it has not ended by then. Returns 1 if it had to be killed. */
int process_end(struct process *p, double grace_s);
/* The last line it said on standard error, fit for a terminal; "" when it said none, or that was not kept. */
const char *process_words(const struct process *p, char buf[PROCESS_WORDS]);
void process_close(struct process *p);

double process_clock(void);

#endif
