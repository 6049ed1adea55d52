/* screen.c: see screen.h. Curses compares with what is on the terminal and sends what differs: no flicker. Signals that end or stop us are
 * taken through a pipe, so that all is put back in order; a crash puts back the terminal with what was prepared for it. */
#include "tui/screen.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <termios.h>
#include <unistd.h>

#include "inspect/target/err.h"
#include "tui/keys.h"
#include "tui/surface.h"

static SCREEN *terminal;
static int pipe_end[2] = { -1, -1 };
static struct termios before;
static char farewell[300];      /* what a crash sends to the terminal */
static chtype look[STYLES];
static int ascii;

static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT }, crashing[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static void on_signal(int sig)
{
	unsigned char c = (unsigned char)sig;
	int sys = errno;

	if (write(pipe_end[1], &c, 1) < 0) { /* it is full of others */ }
	errno = sys;
}

/* SA_RESETHAND: the second time it is the real thing. */
static void on_crash(int sig)
{
	if (write(STDOUT_FILENO, farewell, strlen(farewell)) < 0) { /* nothing to be done */ }
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	raise(sig);
}

static void append(const char *capability)
{
	const char *s = tigetstr(capability);
	size_t n = strlen(farewell);

	if (s && s != (const char *)-1 && n + strlen(s) < sizeof farewell - 40) strcpy(farewell + n, s);
}

static void catch_signals(void)
{
	struct sigaction take = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, crash = { .sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_NODEFER };

	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++) sigaction(ending[i], &take, NULL);
	sigaction(SIGWINCH, &take, NULL);
	sigaction(SIGTSTP, &take, NULL);
	for (size_t i = 0; i < sizeof crashing / sizeof *crashing; i++) sigaction(crashing[i], &crash, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* One style: a colour as it is, the nearest of the 256, of the 8, and an attribute that must do where there is no colour. */
struct paint { int rgb; short rich, poor; chtype with, without; };

enum { BLUE = 0x0072b2, SKY = 0x56b4e9, GREEN = 0x009e73, ORANGE = 0xe69f00, PURPLE = 0xcc79a7, GREY = 0x8a8a8a };

/* Okabe and Ito's colours, which people tell apart however they see. */
static const struct paint paint[STYLES] = {
	[STYLE_PLAIN] = { -1, -1, -1, A_NORMAL, A_NORMAL },
	[STYLE_STRONG] = { -1, -1, -1, A_BOLD, A_BOLD },
	[STYLE_DIM] = { GREY, 245, -1, A_NORMAL, A_NORMAL },
	[STYLE_TITLE] = { -1, -1, -1, A_REVERSE, A_REVERSE },
	[STYLE_SORTED] = { -1, -1, -1, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD },
	[STYLE_SELECTED] = { SKY, 39, COLOR_CYAN, A_REVERSE, A_REVERSE },
	[STYLE_KEY] = { GREY, 245, -1, A_NORMAL, A_NORMAL },
	[STYLE_KEY_NAME] = { SKY, 39, COLOR_CYAN, A_BOLD, A_BOLD },
	[STYLE_TAB] = { -1, -1, -1, A_NORMAL, A_NORMAL },
	[STYLE_TAB_ON] = { SKY, 39, COLOR_CYAN, A_BOLD | A_REVERSE, A_BOLD | A_REVERSE },
	[STYLE_WARN] = { ORANGE, 214, COLOR_YELLOW, A_BOLD, A_BOLD },
	[STYLE_GOOD] = { GREEN, 36, COLOR_GREEN, A_NORMAL, A_NORMAL },
	[STYLE_UP] = { ORANGE, 214, COLOR_YELLOW, A_NORMAL, A_NORMAL },
	[STYLE_DOWN] = { SKY, 39, COLOR_CYAN, A_NORMAL, A_NORMAL },
	[STYLE_BAR] = { SKY, 74, COLOR_CYAN, A_NORMAL, A_NORMAL },
	[STYLE_FOUND] = { ORANGE, 214, COLOR_YELLOW, A_UNDERLINE, A_UNDERLINE },
	[STYLE_PART_1] = { BLUE, 32, COLOR_BLUE, A_NORMAL, A_NORMAL },
	[STYLE_PART_2] = { SKY, 74, COLOR_CYAN, A_NORMAL, A_NORMAL },
	[STYLE_PART_3] = { GREEN, 36, COLOR_GREEN, A_NORMAL, A_NORMAL },
	[STYLE_PART_4] = { ORANGE, 214, COLOR_YELLOW, A_NORMAL, A_NORMAL },
	[STYLE_PART_5] = { PURPLE, 175, COLOR_MAGENTA, A_NORMAL, A_NORMAL },
	[STYLE_PART_6] = { GREY, 245, -1, A_NORMAL, A_NORMAL },
};

static void choose_colours(void)
{
	const char *no = getenv("NO_COLOR");
	int coloured = !(no && *no) && has_colors() && start_color() == OK;
	/* a terminal that takes colours as they are, not as places in a palette, has as many */
	int direct = coloured && COLORS >= 1 << 24;

	if (coloured) use_default_colors();
	for (short i = 0; i < STYLES; i++) {
		int c = direct ? paint[i].rgb : COLORS >= 256 ? paint[i].rich : paint[i].poor;
		look[i] = coloured ? paint[i].with : paint[i].without;
		if (coloured && c >= 0 && i < COLOR_PAIRS - 1 && init_extended_pair(i + 1, c, -1) == OK) look[i] |= (chtype)COLOR_PAIR(i + 1);
	}
}

/* COLORTERM says that the terminal is better than its TERM: a description that says so as well is taken where there is one
   ("xterm-direct" for "xterm-256color"). */
static SCREEN *open_terminal(const char *name)
{
	const char *deep = getenv("COLORTERM");
	char direct[64];
	SCREEN *s;

	if (name && deep && (!strcmp(deep, "truecolor") || !strcmp(deep, "24bit"))) {
		snprintf(direct, sizeof direct, "%.*s-direct", (int)strcspn(name, "-"), name);
		if ((s = newterm(direct, stdout, stdin))) return s;
	}
	return newterm(NULL, stdout, stdin);
}

int screen_open(struct err *e)
{
	const char *name = getenv("TERM");

	tcgetattr(STDIN_FILENO, &before);
	terminal = open_terminal(name);
	if (!terminal) return err_set(e, ERR_UNSUPPORTED, "no screen on a terminal of the type '%s' (plain text: --batch)", name ? name : "");
	set_term(terminal);
	if (pipe_end[0] < 0 && pipe2(pipe_end, O_CLOEXEC | O_NONBLOCK)) {
		screen_close();
		return err_sys(e, errno, "making a pipe");
	}
	/* the console's fonts have no eighths of a block */
	ascii = strcmp(nl_langinfo(CODESET), "UTF-8") || (name && !strcmp(name, "linux"));
	farewell[0] = 0;
	append("sgr0"), append("cnorm"), append("rmkx"), append("rmcup");
	/* the mouse has no capability of its own to be turned off by */
	const char *mouse_keys = tigetstr("kmous");
	if (mouse_keys && mouse_keys != (const char *)-1) strcat(farewell, "\033[?1000;1002;1003;1006l");
	cbreak();
	noecho();
	nonl();
	intrflush(stdscr, FALSE);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	curs_set(0);
	choose_colours();
	/* after curses, which has handlers of its own */
	catch_signals();
	return 0;
}

void screen_close(void)
{
	if (!terminal) return;
	mousemask(0, NULL);
	/* a terminal without a second screen keeps what stands there, but for the keys */
	mvhline(LINES - 1, 0, ' ', COLS);
	refresh();
	endwin();
	delscreen(terminal);
	terminal = NULL;
	fflush(stdout);
}

static void resize(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row || !w.ws_col) return;
	if (is_term_resized(w.ws_row, w.ws_col)) resizeterm(w.ws_row, w.ws_col);
	clearok(curscr, TRUE);
}

struct surface *screen_surface(void) { return surface_new((unsigned)LINES, (unsigned)COLS, ascii); }

void screen_draw(const struct surface *s)
{
	for (unsigned row = 0; row < s->rows && row < (unsigned)LINES; row++)
		for (unsigned i = 0; i < s->columns && i < (unsigned)COLS; i++) {
			const struct cell *c = &s->cell[(size_t)row * s->columns + i];
			wchar_t text[2 + SURFACE_MARKS] = { (wchar_t)c->c };
			cchar_t out;
			if (!c->c) continue;
			for (int k = 0; k < SURFACE_MARKS && c->mark[k]; k++) text[1 + k] = (wchar_t)c->mark[k];
			setcchar(&out, text, look[c->style] & (A_ATTRIBUTES & ~A_COLOR), (short)PAIR_NUMBER(look[c->style]), NULL);
			mvadd_wch((int)row, (int)i, &out);
		}
	refresh();
}

static int mouse(struct key *k)
{
	MEVENT m;

	if (getmouse(&m) != OK) return 0;
	k->row = (unsigned)m.y;
	k->column = (unsigned)m.x;
	k->code = m.bstate & BUTTON4_PRESSED ? KEYS_WHEEL_UP : m.bstate & BUTTON5_PRESSED ? KEYS_WHEEL_DOWN : KEYS_CLICK;
	return m.bstate & (BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED) ? 1 : 0;
}

/* A key that has arrived: 1; 0: none. */
static int read_key(struct key *k)
{
	static const struct { wint_t curses; uint32_t code; } map[] = {
		{ KEY_UP, KEYS_UP }, { KEY_DOWN, KEYS_DOWN }, { KEY_LEFT, KEYS_LEFT }, { KEY_RIGHT, KEYS_RIGHT }, { KEY_PPAGE, KEYS_PAGE_UP }, { KEY_NPAGE, KEYS_PAGE_DOWN },
		{ KEY_HOME, KEYS_HOME }, { KEY_END, KEYS_END }, { KEY_BACKSPACE, KEYS_BACKSPACE }, { KEY_DC, KEYS_DELETE }, { KEY_BTAB, KEYS_BACK_TAB },
		{ KEY_ENTER, KEYS_ENTER }, { KEY_RESIZE, KEYS_REDRAW },
	};
	wint_t c;
	int kind = get_wch(&c);

	*k = (struct key){ 0 };
	if (kind == ERR) return 0;
	if (kind == OK) {
		k->code = c == '\r' ? KEYS_ENTER : (uint32_t)c;
		if (c == 12) clearok(curscr, TRUE), k->code = KEYS_REDRAW;
		return 1;
	}
	if (c == KEY_MOUSE) return mouse(k);
	if (c >= (wint_t)KEY_F(1) && c <= (wint_t)KEY_F(12)) return k->code = KEYS_F1 + (uint32_t)(c - (wint_t)KEY_F(1)), 1;
	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (map[i].curses == c) return k->code = map[i].code, 1;
	return 0;
}

void screen_stop(void)
{
	struct sigaction ours, usual = { .sa_handler = SIG_DFL };

	def_prog_mode();
	endwin();
	sigaction(SIGTSTP, &usual, &ours);
	raise(SIGTSTP);
	/* here again after SIGCONT */
	sigaction(SIGTSTP, &ours, NULL);
	reset_prog_mode();
	resize();
	refresh();
}

/* What came through the pipe: -1 to end, 1 to draw anew. */
static int signalled(struct key *k, int *sig)
{
	unsigned char c;
	int got = 0;

	while (read(pipe_end[0], &c, 1) == 1) {
		got = 1;
		if (c == SIGWINCH) resize();
		else if (c == SIGTSTP) screen_stop();
		else return *sig = c, -1;
	}
	k->code = KEYS_REDRAW;
	return got;
}

int screen_key(struct key *k, double seconds, const int *descriptor, int ndescriptors, int *sig)
{
	struct pollfd p[8] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = pipe_end[0], .events = POLLIN } };
	int n = 2, ms = seconds < 0 ? -1 : seconds > 3600 ? 3600000 : (int)(seconds * 1e3) + 1;

	*sig = 0;
	if (read_key(k)) return 1;
	for (int i = 0; i < ndescriptors && n < 8; i++)
		if (descriptor[i] >= 0) p[n++] = (struct pollfd){ .fd = descriptor[i], .events = POLLIN };
	if (poll(p, (nfds_t)n, ms) < 0 && errno != EINTR) return -1;
	if (p[1].revents) return signalled(k, sig);
	/* readable and nothing to read: the terminal is gone */
	int left = 0;
	if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL) || (p[0].revents & POLLIN && (ioctl(STDIN_FILENO, FIONREAD, &left) || !left))) return -1;
	return read_key(k);
}
