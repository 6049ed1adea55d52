/* err.c: fills struct err. See err.h. Text that came from a target (paths, names) may be in a message, so control characters are
 * replaced: a message is always one line and never drives the terminal. */
#include "inspect/target/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void tidy(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f) *s = '?';
}

/* Is the message about a process, so that a missing file means a missing process? */
static int about_process(const char *text)
{
	return strstr(text, "/proc/") || !strncmp(text, "pid ", 4);
}

int err_set(struct err *e, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	tidy(e->text);
	e->kind = kind;
	e->sys = 0;
	return -1;
}

int err_sys(struct err *e, int sys, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);

	const char *hint = "";
	e->sys = sys;
	e->kind = ERR_FAIL;
	if (sys == ESRCH || (sys == ENOENT && about_process(e->text))) {
		e->kind = ERR_GONE;
	} else if (sys == EPERM || sys == EACCES) {
		e->kind = ERR_DENIED;
		hint = " (run as root, or as the process's user)";
	}
	size_t n = strlen(e->text);
	snprintf(e->text + n, sizeof e->text - n, ": %s%s", strerror(sys), hint);
	tidy(e->text);
	return -1;
}
