/* err.h: the one error idiom outside the agent. A function that can fail returns 0 or -1 and fills a caller-owned struct err;
 * only cmd/ prints it. The kind is the exit status of the command. */
#ifndef ALLOCTOP_ERR_H
#define ALLOCTOP_ERR_H

enum err_kind {
	ERR_NONE = 0,
	ERR_FAIL = 1,           /* anything else */
	ERR_USAGE = 2,          /* the command line is wrong */
	ERR_GONE = 3,           /* the target does not exist (any more) */
	ERR_DENIED = 4,         /* not permitted */
	ERR_UNSUPPORTED = 5,    /* cannot be done for this target, on this machine, or in this build */
};

struct err {
	enum err_kind kind;
	int sys;                /* errno, 0 if none */
	char text[512];         /* one line, no newline: what was being done, to what, why it failed, what to do next */
};

/* Both fill *e and return -1. err_sys appends ": " and the system's words for `sys`, and takes the kind from it
   (ESRCH, ENOENT of /proc: GONE; EPERM, EACCES: DENIED with "(run as root, or as the process's user)"). */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_sys(struct err *e, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
