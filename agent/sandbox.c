/* sandbox.c: see sandbox.h. Passes on the two functions by which programs ask for a filter; libseccomp uses the second. Whoever makes
 * the system call with its own hands is not noticed. */
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include "sandbox.h"
#include "cc.h"
#include "hook.h"
#include "life.h"
#include "origin.h"
#include "real.h"
#include "serve.h"
#include "sys.h"

static uint32_t entered;

int sandbox_entered(void)
{
	return LOAD(entered) != 0 || origin_sandboxed();
}

/* Strict mode allows no system call at all that we need, and not even the end of the process while it has another thread. A forked child that
   has not begun anew has no thread of ours to end, but is under the filter all the same (sshd's, a browser's renderer). */
static void enter(int is_strict)
{
	STORE(entered, 1);
	if (life_running()) serve_stop("closed: the program put itself under a seccomp filter");
	if (is_strict) life_stop();
}

static void asked_prctl(unsigned long mode, unsigned long program)
{
	if (mode == SECCOMP_MODE_STRICT) enter(1);
	if (mode == SECCOMP_MODE_FILTER && program) enter(0);
}

/* Without a program it is a question whether the kernel knows the flag. */
static void asked_seccomp(unsigned long what, unsigned long program)
{
	if (what == SECCOMP_SET_MODE_STRICT) enter(1);
	if (what == SECCOMP_SET_MODE_FILTER && program) enter(0);
}

EXPORT int HOOK(prctl)(int what, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
EXPORT int HOOK(prctl)(int what, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	static struct real real = { .name = "prctl" };
	int (*fn)(int, unsigned long, unsigned long, unsigned long, unsigned long) = real_find(&real);
	if (what == PR_SET_SECCOMP) asked_prctl(a, b);
	return fn ? fn(what, a, b, c, d) : -1;
}

EXPORT long HOOK(syscall)(long n, unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e, unsigned long f);
EXPORT long HOOK(syscall)(long n, unsigned long a, unsigned long b, unsigned long c, unsigned long d, unsigned long e, unsigned long f)
{
	static struct real real = { .name = "syscall" };
	long (*fn)(long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long) = real_find(&real);
	if (n == __NR_seccomp) asked_seccomp(a, c);
	if (n == __NR_prctl && a == PR_SET_SECCOMP) asked_prctl(b, c);
	return fn ? fn(n, a, b, c, d, e, f) : -1;
}
