/* panels.c: the screen without a terminal: panels filled from a heap, a snapshot and a lock report made by hand; every key on every panel;
 * what is shown at several sizes; time, mark, filter, sort. */
#include <locale.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>

#include "inspect/lock/lock.h"
#include "inspect/model/heap.h"
#include "inspect/model/history.h"
#include "inspect/model/sites.h"
#include "inspect/model/snapshot.h"
#include "inspect/model/table.h"
#include "inspect/target/xalloc.h"
#include "tests/tap.h"
#include "tui/attacher.h"
#include "tui/keys.h"
#include "tui/known.h"
#include "tui/outlook.h"
#include "tui/panel.h"
#include "tui/processes.h"
#include "tui/surface.h"
#include "tui/view.h"

/* A glibc heap with one arena, two classes, three mappings and a ledger that closes; what is unknown in it is HEAP_UNKNOWN. */
static void heap(struct heap *h, double factor)
{
	static struct ledger_row row[] = {
		{ "glibc: live", 60 << 20, 0, "", 0 }, { "glibc: free, between live blocks", 30 << 20, 0, "estimate: a guess", 0 }, { "unexplained", 10 << 20, 0, "", 1 },
	};
	static struct heap_map map[] = {
		{ 0x10000, 0x20000, 4096, 0, "glibc", "[heap]" }, { 0x7f0000000000, 0x7f0000100000, 1 << 20, 0, "program and library files", "/lib/libc.so.6" },
	};
	static struct heap_thread thread[] = { { 41, "main", 1000, 10, 8192, "main arena" }, { 42, "worker \033[2J", HEAP_UNKNOWN, HEAP_UNKNOWN, 4096, "" } };
	struct heap_allocator *a = xcalloc(1, sizeof *a);

	*h = (struct heap){ .allocator = a, .nallocators = 1, .map = map, .nmaps = 2, .thread = thread, .nthreads = 2 };
	h->ledger = (struct ledger){ .rss = 100 << 20, .row = row, .nrows = 3, .retained = 5 << 20 };
	*a = (struct heap_allocator){ .name = "glibc", .version = "2.36", .in_use = 1, .live_bytes = (uint64_t)(60e6 * factor), .live_objects = 1000, .free_bytes = HEAP_UNKNOWN, .requested_bytes = HEAP_UNKNOWN };
	*heap_add_class(a) = (struct heap_class){ .size = 24, .live = (uint64_t)(3 * factor), .free = 1, .requested = HEAP_UNKNOWN };
	*heap_add_class(a) = (struct heap_class){ .size = 40, .live = 5, .free = HEAP_UNKNOWN, .cached = HEAP_UNKNOWN };
	struct heap_arena *r = heap_add_arena(a);
	*r = (struct heap_arena){ .addr = 1, .threads = 2, .mapped = 1 << 20, .live = 3 << 18, .free = 1 << 18, .cached = HEAP_UNKNOWN, .top = HEAP_UNKNOWN };
	strcpy(r->name, "main arena");
}

static void locks(struct lock_report *l)
{
	static struct lock_waiter waiter = { 42, "worker", 10, 0.5, 1 };
	static struct lock_row row[2];
	static const struct lock_figure unknown = { LOCK_UNKNOWN, LOCK_UNKNOWN, NULL };

	row[0] = (struct lock_row){ .allocator = "glibc", .name = "glibc main arena", .addr = 0x1234, .utilisation = { 0.4, 0.1, "lock-word" }, .mean_inside = unknown,
		.contended = unknown, .waits_per_s = unknown, .lost_s_per_s = { 0.5, 0.05, "lock-word" }, .eagain = unknown, .waiter = &waiter, .nwaiters = 1 };
	row[1] = row[0];
	row[1].addr = 0x5678;
	*row[1].allocator = 0;
	strcpy(row[1].name, "futex 0x5678");
	*l = (struct lock_report){ .period_s = 1, .threads = 2, .row = row, .nrows = 2, .allocator_lost = 0.5, .all_lost = 1, .allocator_error = 0.05 };
}

static void sites(struct sites *s)
{
	static struct site_row row[] = {
		{ .function = "big_one", .caller = "main", .stacks = 1, .bytes_per_s = -1, .objects_per_s = -1, .life_s = -1 },
		{ .function = "small_one", .caller = "main", .stacks = 1, .bytes_per_s = 1024, .objects_per_s = 1, .life_s = 2 },
	};

	row[0].total = (struct snap_site){ .live_bytes = 40 << 20, .live_objects = 10, .live_samples = 4, .live_variance = 1e10 };
	row[1].total = (struct snap_site){ .live_bytes = 1 << 20, .live_objects = 999, .live_samples = 1, .freed_bytes = 100, .remote_bytes = 50 };
	*s = (struct sites){ .row = row, .n = 2, .live_bytes = 41 << 20, .bytes_per_s = 1024, .objects_per_s = 1, .interval_s = 1 };
}

/* with: enum panel_part. */
static struct state *make(double at, double factor, unsigned with)
{
	struct state *s = state_new();
	struct heap h;
	struct lock_report l;
	struct sites x;
	struct snapshot snap = { .rate = 512 << 10, .running = 1, .live_bytes = 41 << 20, .live_variance = 1e10, .live_objects = 1009, .age_s = 10 };
	struct observation o = { .snap = with & PANEL_AGENT ? &snap : NULL };

	heap(&h, factor), locks(&l), sites(&x);
	x.row[0].total.live_bytes *= factor;
	if (with & PANEL_HEAP) o.heap = &h;
	if (with & PANEL_LOCKS) o.locks = &l;
	if (with & PANEL_AGENT) o.sites = &x;
	s->pid = 41;
	s->at = at;
	state_say(s, STATE_PROGRAM, "prog");
	s->figure[STATE_RSS] = 100 << 20, s->figure[STATE_THREADS] = 2, s->figure[STATE_UPTIME] = 100;
	if (o.sites) outlook_agent(s, &snap, &x);
	if (o.heap) outlook_heap(s, &h);
	if (o.locks) outlook_locks(s, &l);
	outlook_verdict(s, &o);
	for (const struct panel *const *p = panels_all; *p; p++)
		if ((*p)->fill && ((*p)->parts & with)) (*p)->fill(s->table[(*p)->table] = table_new((*p)->shape), &o);
	heap_allocator_free(h.allocator);
	free(h.allocator);
	return s;
}

static void open_view(struct view *v, unsigned with)
{
	view_init(v, panels_process, history_new(panels_shapes, 1 << 20));
	for (int i = 0; i < 3; i++) view_take(v, make(1000 + i, 1 + i, with));
}

/* The screen that keys lead to; valid until the next. */
static const char *screen(struct view *v, unsigned rows, unsigned columns, const char *keys)
{
	static char *text;
	struct surface *s = surface_new(rows, columns, 0);
	struct key k;

	view_draw(v, s);
	while (keys_script(&keys, &k) > 0) {
		view_key(v, &k);
		surface_clear(s);
		view_draw(v, s);
	}
	free(text);
	text = surface_text(s);
	surface_free(s);
	return text;
}

static void shows(const char *text, const char *want, const char *what)
{
	if (!ok(strstr(text, want) != NULL, "%s", what)) {
		printf("# wanted: %s\n# in:\n", want);
		for (const char *p = text; *p; p += strcspn(p, "\n") + 1) printf("# %.*s\n", (int)strcspn(p, "\n"), p);
	}
}

static void panels(void)
{
	struct view v;

	open_view(&v, PANEL_AGENT | PANEL_HEAP | PANEL_LOCKS);
	shows(screen(&v, 24, 80, ""), "prog  pid 41  glibc 2.36  threads 2  up 1m40s", "who it is");
	shows(screen(&v, 24, 80, ""), "rss 100M █", "the bar of RSS");
	shows(screen(&v, 24, 80, ""), "█ live 60.0M ░ free 30.0M · not malloc 10.0M", "what it is made of");
	shows(screen(&v, 24, 80, ""), "verdict glibc: 2 threads on 1 arena.. (alloctop diagnose)\n", "the verdict, and where there is more of it");
	shows(screen(&v, 24, 80, "1"), " 120M 97.7K  293%    10      -      -      -      - big_one < main", "sites; dashes for the unknown");
	shows(screen(&v, 24, 80, "2"), "     24       9       1       0    216     24  90.0% ██████████▊  glibc", "classes");
	shows(screen(&v, 24, 80, "2"), "     40       5       -       -    200      -      -              glibc", "a class of which little is known");
	shows(screen(&v, 24, 80, "3"), "main arena           2  1.00M   768K   256K  75.0% ███████▌   glibc", "arenas; what is not known makes room");
	shows(screen(&v, 24, 80, "4"), "glibc main arena            500ms   50ms ██        40.0% glibc", "locks");
	shows(screen(&v, 24, 150, "4"), "glibc main arena                                   500ms ", "where there is room names have more of it");
	shows(screen(&v, 24, 80, "4<enter>"), "42      worker           100.0%", "who waits for one");
	shows(screen(&v, 24, 80, "<esc>S"), "Stop threads of prog, pid 41, for their call stacks?", "stops are asked for");
	shows(screen(&v, 24, 80, ""), "stopped one at a time", "with what they are");
	ok(!v.stops && !strstr(screen(&v, 24, 80, "n"), "STOPS") && !v.stops, "anything but y: none");
	shows(screen(&v, 24, 80, "Sy"), "STOPS", "y: so it says");
	ok(v.stops && !strstr(screen(&v, 24, 80, "1"), "STOPS") && !strstr(screen(&v, 24, 80, "h"), "S "), "not on another panel");
	screen(&v, 24, 80, "<esc>4S");
	ok(!v.stops, "and S ends them");
	shows(screen(&v, 24, 80, "5"), "     42 worker ?[2J          -       -      - 50.0%  4.00K      -", "threads");
	shows(screen(&v, 24, 80, "6"), "7f0000000000  1.00M program and library files   1.00M   1.0% /lib/libc.so.6", "maps");
	shows(screen(&v, 24, 120, ""), "1.00M   1.0% ████████      0 /lib/libc.so.6", "where there is room all of them");
	shows(screen(&v, 24, 80, "7"), "glibc: free, between live blocks          30.0M  30.0% █▊     estimate: a guess", "the ledger");
	shows(screen(&v, 15, 60, ""), "glibc: free, between live blocks          30.0M  30.0%\n", "its figures come before its notes");
	shows(screen(&v, 15, 40, ""), "glibc: free, between live blocks   30.0M\n", "on a narrow screen names and figures, without notes");
	shows(screen(&v, 15, 20, ""), "glibc: free..  30.0M\n", "on a narrower one names are cut, not figures");
	shows(screen(&v, 15, 60, ""), "1Sites 2Classes 3Arenas 4Locks 5Threads 6Maps [7Ledger]8Log", "no tab is cut");
	shows(screen(&v, 15, 50, ""), "1 2 3 4 5 6 [7Ledger]8\n", "where there is no room, one name");
	shows(screen(&v, 24, 80, "<down><down><down><enter>"), "there is no more to say", "a row without more says so");
	shows(screen(&v, 24, 80, "8"), "live bytes jumped by 57.2M, from 57.2M to 114M", "the log");
	shows(screen(&v, 24, 80, "1h<end>"), "who allocates, and who called it", "help tells of columns");
	view_close(&v);
	open_view(&v, 0);
	shows(screen(&v, 24, 80, "1"), "alloctop attach 41\n", "without an agent: what to do, to which process");
	shows(screen(&v, 24, 80, "2"), "The heap has not been read yet.", "without a heap: so it says");
	view_close(&v);
}

static void figures(void)
{
	struct view v;

	open_view(&v, PANEL_HEAP);
	screen(&v, 24, 80, "2[[m]");
	shows(screen(&v, 24, 80, ""), "+3       0       0     +72", "since the mark, a moment back, forth again");
	shows(screen(&v, 24, 80, ""), "Δ since", "it says so");
	ok(v.fixed && !v.paused && v.fixed->at == 1001, "the moment in between");
	screen(&v, 24, 80, "]");
	screen(&v, 24, 80, "]");
	ok(!v.fixed && view_state(&v)->at == 1002, "behind the last one is now");
	shows(screen(&v, 24, 80, "M "), "PAUSED", "paused");
	view_take(&v, make(1003, 9, PANEL_HEAP));
	ok(view_state(&v)->at == 1002 && v.now->at == 1003 && history_count(v.history) == 4, "the display stands still, the history goes on");
	screen(&v, 24, 80, " ");
	ok(view_state(&v)->at == 1003, "and on");
	shows(screen(&v, 24, 80, "6\\so.6<enter>"), "/lib/libc.so.6", "a filter leaves what matches");
	ok(!strstr(screen(&v, 24, 80, ""), "[heap]"), "and nothing else");
	shows(screen(&v, 24, 80, "<esc>"), "[heap]", "Esc ends it");
	shows(screen(&v, 24, 80, "/lib<enter>"), "libc.so.6", "search");
	ok(v.grid[5].selected == 0 && !strcmp(v.grid[5].search, "lib"), "goes to it");
	screen(&v, 24, 80, "s<enter>");
	ok(v.grid[5].sort == v.panels[5]->shape->sort, "the sort menu begins at the column that it is sorted by");
	const char *text = screen(&v, 24, 80, "<click 8 3>");
	ok(v.grid[5].sort == 0 && strstr(text, "START▲"), "a click on a title sorts by it");
	screen(&v, 24, 80, "<click 10 3>");
	ok(v.grid[5].selected == 1, "a click on a row selects it");
	screen(&v, 24, 80, "<click 7 20>");
	ok(v.current == 1 || v.current == 2, "a click on a tab goes there");
	struct state *gone = state_new();
	state_say(gone, STATE_GONE, "the process has ended");
	view_take(&v, gone);
	shows(screen(&v, 24, 80, ""), "ENDED", "when it has ended, so it says");
	shows(screen(&v, 24, 80, ""), "ended   the process has ended; this is the last", "in words");
	shows(screen(&v, 24, 80, ""), "verdict nothing stands out", "and the last verdict stays");
	shows(screen(&v, 24, 80, "7"), "glibc: live", "and the last state stays");
	view_close(&v);
}

/* Processes in groups, the smaller group first: sorted by sums, folded, filtered. */
static void tree(void)
{
	static const struct { pid_t pid; uint64_t rss; const char *group, *cmdline; double inside; } made[] = {
		{ 11, 10 << 20, "/a.slice/x.service", "/usr/local/bin/alpha -mor", NAN }, { 12, 30 << 20, "/a.slice/x.service", "beta", NAN }, { 13, 90 << 20, "/b.slice", "gamma", 1.5 },
		{ 14, 1 << 20, "", "delta", NAN }, { 15, 20 << 20, "/b.slice", "epsilon", 2 },
	};
	enum { N = sizeof made / sizeof *made };
	static struct known known[N];
	const struct known *order[N];
	struct state *s = state_new();
	struct view v;

	for (int i = 0; i < N; i++) {
		known[i] = (struct known){ .proc = { .pid = made[i].pid, .rss_bytes = made[i].rss, .threads = 1 }, .group = (char *)made[i].group, .live = NAN, .retained = NAN,
			.rate = NAN, .inside = made[i].inside };
		strcpy(known[i].proc.cmdline, made[i].cmdline);
		order[i] = &known[i];
	}
	s->at = 1;
	s->table[STATE_PROCESSES] = table_new(panel_processes.shape);
	s->table[STATE_GROUPS] = groups_table(order, N, 0);
	view_init(&v, panels_list, history_new(panels_shapes, 1 << 20));
	view_take(&v, s);
	shows(screen(&v, 24, 60, "t"), " alpha -mor\n", "a command that is too long: without its folder");
	shows(screen(&v, 24, 120, ""), " /usr/local/bin/alpha -mor\n", "else with it");
	const char *text = screen(&v, 24, 120, ""), *b = strstr(text, "▾ b.slice"), *a = strstr(text, "▾ a.slice"), *none = strstr(text, "▾ (no container)");
	ok(b && a && none && b < a && a < none, "groups by the sum of what they hold");
	shows(text, " 110M     -     -      -   3.5 ", "sums: what is known of them, and nothing that is not");
	shows(text, " ▾ x.service", "a group in a group");
	ok(strstr(text, "  beta") && strstr(text, "  beta") < strstr(text, "/alpha"), "in a group by size");
	text = screen(&v, 24, 120, "I");
	ok(strstr(text, "▾ b.slice") > strstr(text, "▾ a.slice") && strstr(text, "  beta") > strstr(text, "/alpha"), "turned round, at every level");
	text = screen(&v, 24, 120, "I\\alph<enter>");
	ok(strstr(text, "alpha") && strstr(text, "▾ x.service") && strstr(text, "▾ a.slice") && !strstr(text, "beta") && !strstr(text, "b.slice"), "a filter leaves what it is in");
	text = screen(&v, 24, 120, "<esc><home><enter>");
	ok(strstr(text, "▸ b.slice") && !strstr(text, "gamma") && strstr(text, "alpha"), "Enter folds the first group");
	text = screen(&v, 24, 120, "-+-");
	ok(strstr(text, "▸ b.slice") && !strstr(text, "gamma"), "so does -");
	text = screen(&v, 24, 120, "+");
	ok(strstr(text, "▾ b.slice") && strstr(text, "gamma"), "and + opens it");
	view_close(&v);
}

/* RSS and its parts, which are of another moment. */
static void moments(void)
{
	struct view v;

	open_view(&v, PANEL_HEAP);
	double *f = v.now->figure;
	f[STATE_HEAP_AGE] = 2, f[STATE_RSS] = 101 << 20;
	shows(screen(&v, 24, 80, ""), "rss 100M █", "parts of about the moment: their sum");
	ok(!strstr(screen(&v, 24, 80, ""), "parts of"), "of which nothing is said");
	f[STATE_RSS] = 150 << 20;
	shows(screen(&v, 24, 80, ""), "rss 150M █", "while it grows fast: what there is now");
	shows(screen(&v, 24, 80, ""), "parts of 2.0s ago  + 5.00M kept, not resident", "and how old the parts are");
	f[STATE_HEAP_AGE] = 70, f[STATE_RSS] = 100 << 20;
	shows(screen(&v, 24, 80, ""), "parts of 1m10s ago", "old ones likewise");
	ok(!strstr(screen(&v, 15, 40, ""), "kept") && strstr(screen(&v, 15, 40, ""), "rss 100M █"), "where there is no room the bar stays");
	view_close(&v);
}

/* What is said of the rate of allocation. */
static void rates(void)
{
	struct view v;

	open_view(&v, PANEL_AGENT);
	double *f = v.now->figure;
	f[STATE_RATE] = 3 << 20, f[STATE_RATE_ERROR] = 1 << 20, f[STATE_RATE_OBJECTS] = 500, f[STATE_RATE_INTERVAL] = 10;
	shows(screen(&v, 24, 80, ""), "allocating 3.00M/s ± 1.00M  500 objects/s", "with its error");
	f[STATE_RATE] = f[STATE_RATE_ERROR] = 0, f[STATE_SAMPLE_RATE] = 1 << 19;
	shows(screen(&v, 24, 80, ""), "allocating < 51.2K/s", "no sample in ten seconds: not nothing, but less than one");
	f[STATE_SAMPLE_RATE] = 1;
	shows(screen(&v, 24, 80, ""), "allocating 0/s", "where each one is recorded: nothing");
	f[STATE_RATE] = NAN;
	shows(screen(&v, 24, 80, ""), "allocating: not known yet", "not known");
	state_say(v.now, STATE_AGENT, "stopped");
	shows(screen(&v, 24, 80, ""), "objects  STOPPED", "and not to be known");
	view_close(&v);
}

/* Every key there is, on every panel, at sizes from the smallest on. */
static void every_key(void)
{
	static const char *const special[] = {
		"<up>", "<down>", "<left>", "<right>", "<pgup>", "<pgdn>", "<home>", "<end>", "<backspace>", "<backtab>", "<wheelup>", "<wheeldown>", "<enter>", "<tab>",
		"<esc>", "<f1>", "<f2>", "<f3>", "<f4>", "<f5>", "<f6>", "<f9>", "<f10>", "<click 0 0>", "<click 8 5>", "<click 9 70>", "<click 500 500>", "<lt>",
	};
	static const unsigned size[][2] = { { 1, 1 }, { 3, 20 }, { 15, 60 }, { 24, 80 }, { 60, 200 } };
	char key[2] = "";
	int drawn = 0;

	for (size_t z = 0; z < sizeof size / sizeof *size; z++) {
		struct view v;
		open_view(&v, z & 1 ? PANEL_HEAP | PANEL_LOCKS : PANEL_AGENT | PANEL_HEAP | PANEL_LOCKS);
		for (unsigned p = 0; panels_process[p]; p++) {
			char go[] = { '<', 'e', 's', 'c', '>', panels_process[p]->key, 0 };
			for (char c = ' '; c < 127; c++) {
				if (c == '<') continue;
				key[0] = c;
				screen(&v, size[z][0], size[z][1], go);
				screen(&v, size[z][0], size[z][1], key);
				drawn += *screen(&v, size[z][0], size[z][1], "<down><enter><esc><esc>") != 0;
			}
			for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
				screen(&v, size[z][0], size[z][1], go);
				drawn += *screen(&v, size[z][0], size[z][1], special[i]) != 0;
				screen(&v, size[z][0], size[z][1], "<esc>");
			}
		}
		view_close(&v);
	}
	ok(drawn == 5 * 8 * (94 + 28), "every key of every panel, at five sizes");
}

/* What comes of a look, waited for. */
static enum attacher_news news(struct attacher *a, const char **title, const char **text)
{
	struct pollfd p = { .fd = attacher_descriptor(a), .events = POLLIN };

	return poll(&p, 1, 60000) == 1 ? attacher_news(a, title, text) : ATTACHER_NOTHING;
}

static void attaching(void)
{
	struct view v;
	const char *title, *text;

	open_view(&v, PANEL_AGENT | PANEL_HEAP | PANEL_LOCKS);
	ok(!strstr(screen(&v, 24, 80, "a"), "looking") && !strstr(screen(&v, 40, 80, "h"), "agent in, or"), "a is nothing where nothing can be attached");
	v.attacher = attacher_new(NULL, "no image here");
	shows(screen(&v, 40, 80, "<esc>h"), "put the agent in, or take it out", "else it is in the help");
	shows(screen(&v, 24, 80, "<esc>a"), "looking at what that would mean", "it begins with a look");
	ok(attacher_look(v.attacher, 1) < 0, "one at a time");
	ok(news(v.attacher, &title, &text) == ATTACHER_FAILED && !strcmp(title, "no image here"), "without an image: says why");
	view_ask(&v, "Attach to prog?", "verdict      safe\nstores       12 words\n");
	shows(screen(&v, 24, 80, ""), "Attach to prog?", "the question");
	shows(screen(&v, 24, 80, ""), "stores       12 words", "and what it is about");
	shows(screen(&v, 24, 80, "x"), "nothing was done", "any key but y: no");
	view_ask(&v, "Attach to prog?", "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nthe last\n");
	ok(!strstr(screen(&v, 15, 60, ""), "the last"), "a question longer than the screen");
	shows(screen(&v, 15, 60, ""), "there is more", "says so");
	shows(screen(&v, 15, 60, "<end>"), "the last", "and is scrolled");
	ok(v.question != NULL, "which is no answer");
	screen(&v, 15, 60, "x");
	ok(!strstr(screen(&v, 24, 80, "y"), "one moment"), "y is a yes to a question only");
	screen(&v, 24, 80, "/ab");
	view_ask(&v, "Attach to prog?", "");
	ok(v.mode == VIEW_SEARCH && !v.question, "who types meanwhile is not asked");
	screen(&v, 24, 80, "<esc>");
	view_tell(&v, "not attached: it is statically linked: the program is stripped, and its allocator's functions cannot be told");
	shows(screen(&v, 24, 80, ""), "allocator's functions cannot be told", "a long refusal is not cut");
	shows(screen(&v, 24, 80, "<esc>"), "1 Sites", "and left by Esc");
	table_leave(v.now->table[STATE_SITES]), v.now->table[STATE_SITES] = NULL;
	shows(screen(&v, 24, 80, "1"), "(or by the key a", "the key is told where it is needed");
	v.recorded = 1;
	ok(!strstr(screen(&v, 24, 80, ""), "the key a"), "but not of a recording");
	shows(screen(&v, 24, 80, "d"), "nothing is written from a recording", "keys that do nothing there say so");
	shows(screen(&v, 24, 80, "<esc>a"), "nothing is attached", "nor attaches one");
	v.recorded = 0;
	v.now->figure[STATE_ATTACHED] = 1;
	v.now->figure[STATE_AGENT_AGE] = 192;
	shows(screen(&v, 24, 80, ""), "attached 3m12s ago", "the head says since when, on a narrow screen too");
	attacher_free(v.attacher);
	view_close(&v);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	panels_begin();
	panels();
	figures();
	tree();
	moments();
	rates();
	every_key();
	attaching();
	return done();
}
