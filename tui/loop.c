/* loop.c: from feed, keys and time to the view, and from the view to the screen or to text. See loop.h. */
#include "tui/loop.h"

#include <ctype.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inspect/model/history.h"
#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"
#include "tui/act.h"
#include "tui/attacher.h"
#include "tui/census.h"
#include "tui/feed.h"
#include "tui/keys.h"
#include "tui/observe.h"
#include "tui/panel.h"
#include "tui/post.h"
#include "tui/screen.h"
#include "tui/surface.h"
#include "tui/view.h"

enum { HISTORY_BYTES = 12 << 20, RECORDING_BYTES = 512 << 20 };

const char *loop_panel_name(size_t i)
{
	static char name[VIEW_PANELS][16];

	if (i >= VIEW_PANELS || !panels_process[i]) return NULL;
	for (size_t k = 0; k + 1 < sizeof name[i] && panels_process[i]->name[k]; k++) name[i][k] = (char)tolower((unsigned char)panels_process[i]->name[k]);
	return name[i];
}

static void choose_panel(struct view *v, const char *name)
{
	for (unsigned i = 0; name && v->panels == panels_process && v->panels[i]; i++)
		if (!strcmp(loop_panel_name(i), name)) v->current = i;
}

/* Without an agent the sites have nothing to say: the ledger has. Once, before the user has chosen. */
static void begin_where_something_is(struct view *v, const struct loop_options *o, int *chosen)
{
	if (*chosen || !v->now || v->panels != panels_process) return;
	*chosen = 1;
	if (!o->panel && !v->now->table[STATE_SITES] && !v->current) choose_panel(v, "ledger");
}

static void draw(struct view *v)
{
	struct surface *s = screen_surface();

	view_draw(v, s);
	screen_draw(s);
	surface_free(s);
}

/* What came of `a`; and what is attached is looked for until it shows, as an agent begins with the first call of its process. */
static void attacher_tick(struct view *v, struct feed *feed, int new)
{
	const char *title, *text;
	enum attacher_news news = attacher_news(v->attacher, &title, &text);

	if (news == ATTACHER_QUESTION) view_ask(v, title, text);
	else if (news != ATTACHER_NOTHING) view_tell(v, title);
	if (news == ATTACHER_DONE) feed->ops->look(feed);
	if (!new) return;
	if (attacher_attached(v->attacher) && v->now && !*v->now->text[STATE_AGENT]) feed->ops->look(feed);
	attacher_follow(v->attacher);
}

static int run_process(pid_t pid, const struct loop_options *o, int nested, int *sig, struct err *e);

/* Until the user leaves, or a signal says so. feed NULL: a recording. */
static int run_view(struct view *v, struct feed *feed, const struct loop_options *o, int *sig, struct err *e)
{
	int chosen = 0, ended = 0;

	while (!ended) {
		int descriptor[3] = { feed ? feed->ops->descriptor(feed) : -1, v->act ? act_descriptor(v->act) : -1, v->attacher ? attacher_descriptor(v->attacher) : -1 };
		struct key k;
		struct state *s = NULL;
		draw(v);
		int got = screen_key(&k, v->playing ? o->delay_s : -1, descriptor, 3, sig);
		if (got < 0) break;
		if (feed && (s = feed->ops->take(feed))) view_take(v, s);
		if (v->act) act_end(v->act, v->message, sizeof v->message);
		if (v->attacher) attacher_tick(v, feed, s != NULL);
		begin_where_something_is(v, o, &chosen);
		if (!got && v->playing && !view_step(v, 1)) v->playing = 0;
		if (got && k.code != KEYS_REDRAW) {
			chosen = 1;
			switch (view_key(v, &k)) {
			case VIEW_STAY: break;
			case VIEW_LEAVE: ended = 1; break;
			case VIEW_OPEN:
				if (run_process(v->open, o, 1, sig, e)) view_tell(v, e->text);
				if (*sig) ended = 1;
				break;
			}
		}
		if (feed) feed->ops->want(feed, view_wants(v));
		if (feed && feed->ops->permit) feed->ops->permit(feed, v->stops && view_panel(v)->stops);
	}
	return 0;
}

static int run_process(pid_t pid, const struct loop_options *o, int nested, int *sig, struct err *e)
{
	struct feed *feed;
	struct view v;

	if (observe_open(pid, o->delay_s, 0, &feed, e)) return -1;
	view_init(&v, panels_process, history_new(panels_shapes, HISTORY_BYTES));
	v.act = act_new();
	v.attacher = attacher_new(o->image, o->no_image);
	v.nested = nested;
	choose_panel(&v, o->panel);
	int status = run_view(&v, feed, o, sig, e);
	feed->ops->close(feed);
	act_free(v.act);
	attacher_free(v.attacher);
	view_close(&v);
	return status;
}

static int run_list(const struct loop_options *o, int *sig, struct err *e)
{
	struct feed *feed;
	struct view v;

	if (census_open(o->delay_s, 0, &feed, e)) return -1;
	view_init(&v, panels_list, history_new(panels_shapes, HISTORY_BYTES / 8));
	int status = run_view(&v, feed, o, sig, e);
	feed->ops->close(feed);
	view_close(&v);
	return status;
}

/* Ends as a command that the signal ended: a shell behind it must know. */
static void die_of(int sig)
{
	if (!sig || sig == SIGINT) return;
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Several threads with large tables that come and go each second: an arena for each, which keeps what it once had, took as much again as all
 * that is in use. Tables of some MiB are kept from one second to the next: to have their pages anew was a quarter of what the screen costs. */
static void keep_small(void)
{
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 8 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
}

int loop_run(pid_t pid, const struct loop_options *o, struct err *e)
{
	int sig = 0, status;
	struct feed *feed;

	keep_small();
	panels_begin();
	/* what cannot be read is said on the terminal as it was */
	if (pid) {
		if (observe_open(pid, o->delay_s, 0, &feed, e)) return -1;
		feed->ops->close(feed);
	}
	if (screen_open(e)) return -1;
	status = pid ? run_process(pid, o, 0, &sig, e) : run_list(o, &sig, e);
	screen_close();
	die_of(sig);
	return status;
}

static int open_recording(struct view *v, const char *path, const struct loop_options *o, struct err *e)
{
	struct history *h;

	panels_begin();
	h = history_new(panels_shapes, RECORDING_BYTES);
	if (history_read(h, path, e)) {
		history_free(h);
		return -1;
	}
	view_init(v, panels_process, h);
	v->recorded = 1;
	if (history_torn(h)) snprintf(v->gone, sizeof v->gone, "the recording breaks off: what followed its last moment is cut or damaged");
	choose_panel(v, o->panel);
	return 0;
}

int loop_replay(const char *path, const struct loop_options *o, struct err *e)
{
	struct view v;
	int sig = 0;

	if (open_recording(&v, path, o, e)) return -1;
	if (screen_open(e)) {
		view_close(&v);
		return -1;
	}
	view_show(&v, 0);
	run_view(&v, NULL, o, &sig, e);
	screen_close();
	view_close(&v);
	die_of(sig);
	return 0;
}

static int press(struct view *v, const char *script, struct surface *s, struct err *e)
{
	const char *at = script;
	struct key k;
	int got;

	view_draw(v, s);
	while (at && (got = keys_script(&at, &k))) {
		if (got < 0) return err_set(e, ERR_USAGE, "no such key: '%s'", at);
		if (view_key(v, &k) != VIEW_STAY) break;
		/* keys are about what is on the screen */
		surface_clear(s);
		view_draw(v, s);
	}
	return 0;
}

/* One screen. All rows: a screen as high as it takes. */
static int print(struct view *v, const struct loop_options *o, FILE *out, struct err *e)
{
	const struct state *x = view_state(v);
	unsigned rows = o->rows;

	for (int i = 0; x && !rows && i < STATE_TABLES; i++)
		if (x->table[i] && x->table[i]->nrows + 24 > rows) rows = (unsigned)x->table[i]->nrows + 24;
	struct surface *s = surface_new(rows ? rows : 24, o->columns, o->ascii);
	int bad = press(v, o->keys, s, e);
	if (!bad) {
		char *text = surface_text(s), *end = text + strlen(text);
		/* neither the line of keys, nor empty lines */
		if (v->mode == VIEW_TABLE && s->rows > 4 && !*v->message) {
			end[-1] = 0;
			end = strrchr(text, '\n') + 1;
		}
		while (end > text + 1 && end[-1] == '\n' && end[-2] == '\n') end--;
		*end = 0;
		fputs(text, out);
		free(text);
	}
	surface_free(s);
	return bad || fflush(out) ? (bad ? bad : err_sys(e, errno, "writing the screen")) : 0;
}

int loop_print(pid_t pid, const struct loop_options *o, FILE *out, struct err *e)
{
	struct feed *feed;
	struct view v;
	int chosen = 0, status;

	panels_begin();
	if (pid ? observe_open(pid, o->delay_s, 1, &feed, e) : census_open(o->delay_s, 1, &feed, e)) return -1;
	view_init(&v, pid ? panels_process : panels_list, history_new(panels_shapes, HISTORY_BYTES));
	choose_panel(&v, o->panel);
	feed->ops->want(feed, view_wants(&v) | 1u << STATE_CALLEES | 1u << STATE_CALLERS | 1u << STATE_GROUPS);
	status = 0;
	for (unsigned i = 0; !status;) {
		struct pollfd p = { .fd = feed->ops->descriptor(feed), .events = POLLIN };
		struct state *s;
		if (poll(&p, 1, -1) < 0 && errno != EINTR) break;
		if (!(s = feed->ops->take(feed))) continue;
		view_take(&v, s);
		if (*v.gone) {
			status = err_set(e, ERR_GONE, "top: %s, pid %d, has ended", v.now ? v.now->text[STATE_PROGRAM] : "the process", (int)pid);
			break;
		}
		begin_where_something_is(&v, o, &chosen);
		if (i) fputc('\n', out);
		status = print(&v, o, out, e);
		if (++i == o->count) break;
	}
	feed->ops->close(feed);
	view_close(&v);
	return status;
}

int loop_print_recording(const char *path, const struct loop_options *o, FILE *out, struct err *e)
{
	struct view v;

	if (open_recording(&v, path, o, e)) return -1;
	for (size_t i = 0; i < history_count(v.history); i++) view_show(&v, i);
	int status = print(&v, o, out, e);
	view_close(&v);
	return status;
}
