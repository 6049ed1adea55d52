/* screen.c: see screen.h. Plain ANSI sequences; the one in the alternate screen that a pager uses, so that the shell's lines
 * are there again afterwards. */
#include "cmd/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct termios before;
static int taken;
static volatile sig_atomic_t ended, resized;

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

static void on_signal(int sig)
{
	if (sig == SIGWINCH || sig == SIGCONT) resized = 1;
	else ended = 1;
}

static void set_mode(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs("\033[?1049h\033[?25l", stdout);
}

void screen_begin(void)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT };
	struct sigaction sa = { .sa_handler = on_signal };      /* no SA_RESTART: poll must return */

	if (tcgetattr(STDIN_FILENO, &before)) return;
	for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) sigaction(caught[i], &sa, NULL);
	set_mode();
	taken = 1;
}

void screen_end(void)
{
	if (!taken) return;
	taken = 0;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

void screen_clear(void) { if (taken) fputs("\033[H", stdout); }

void screen_flip(void)
{
	if (taken) fputs("\033[J", stdout);
	fflush(stdout);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

enum screen_event screen_wait(double seconds)
{
	double until = now() + seconds, left;

	while (!ended && (left = until - now()) > 0) {
		struct pollfd p = { .fd = taken ? STDIN_FILENO : -1, .events = POLLIN };
		int ms = left > 3600 ? 3600000 : (int)(left * 1e3) + 1, n = poll(&p, 1, ms);
		char key = 0;
		if (resized) {
			resized = 0;
			set_mode();     /* after ^Z the shell has set its own */
			return SCREEN_REDRAW;
		}
		if (n > 0 && (read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q')) return SCREEN_QUIT;
		if (n < 0 && errno != EINTR) return SCREEN_QUIT;
	}
	return ended ? SCREEN_QUIT : SCREEN_TIME;
}
