/* err.c: kinds, hints, and that a message is always one bounded line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "inspect/target/err.h"

static int count, failed;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++count, what);
	failed |= !good;
}

int main(void)
{
	struct err e;
	char big[2000];
	puts("1..9");

	ok(err_set(&e, ERR_USAGE, "no such option: %s", "--frob") == -1 && e.kind == ERR_USAGE && !e.sys &&
	   !strcmp(e.text, "no such option: --frob"), "err_set keeps kind and text");
	ok(err_sys(&e, ESRCH, "pid %d: reading", 7) == -1 && e.kind == ERR_GONE && e.sys == ESRCH &&
	   !strcmp(e.text, "pid 7: reading: No such process"), "ESRCH is GONE");
	err_sys(&e, ENOENT, "opening /proc/7/maps");
	ok(e.kind == ERR_GONE, "a missing file of /proc is GONE");
	err_sys(&e, ENOENT, "opening /nowhere/file");
	ok(e.kind == ERR_FAIL, "a missing file elsewhere is a failure");
	err_sys(&e, EPERM, "pid 7: reading");
	ok(e.kind == ERR_DENIED && strstr(e.text, "run as root, or as the process's user"), "EPERM is DENIED and says what to do");
	err_sys(&e, EACCES, "pid 7: reading");
	ok(e.kind == ERR_DENIED, "EACCES is DENIED");
	err_sys(&e, EIO, "reading");
	ok(e.kind == ERR_FAIL && e.sys == EIO && !strstr(e.text, "root"), "others are failures without that hint");
	err_set(&e, ERR_FAIL, "a\nb\033[31mc");
	ok(!strcmp(e.text, "a?b?[31mc"), "control characters of a target's names do not get through");
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = 0;
	err_sys(&e, EIO, "%s", big);
	ok(strlen(e.text) == sizeof e.text - 1, "a long message is cut to fit");
	return failed;
}
