/* screen.c: see screen.h. */
#include "cmd/screen.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static unsigned from_environment(const char *name, unsigned fallback)
{
	const char *s = getenv(name);
	long v = s ? strtol(s, NULL, 10) : 0;

	return v > 0 && v < 10000 ? (unsigned)v : fallback;
}

void screen_size(unsigned *rows, unsigned *columns)
{
	struct winsize w;

	*rows = from_environment("LINES", 24);
	*columns = from_environment("COLUMNS", 80);
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row || !w.ws_col) return;
	*rows = w.ws_row;
	*columns = w.ws_col;
}

void screen_wait(double seconds)
{
	struct timespec left = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (seconds > 0 && nanosleep(&left, &left) && errno == EINTR) {}
}
