/* view_keys.c: what the keys do, in each mode of the view. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/table.h"
#include "inspect/target/xalloc.h"
#include "tui/act.h"
#include "tui/attacher.h"
#include "tui/keys.h"
#include "tui/panel.h"
#include "tui/view.h"

static void step(struct view *v, int forth, unsigned times)
{
	int any = 0;

	v->playing = 0;
	while (times--) any |= view_step(v, forth);
	if (!any) view_say(v, forth ? (v->recorded ? "this is the last moment of the recording" : "this is now") : "there is nothing before this moment");
}

static void write_profile(struct view *v, const char *format)
{
	const struct state *s = v->now;

	if (!s) return;
	if (*v->gone) view_say(v, "the process has ended: there is no profile to be had of it any more");
	else if (!*s->text[STATE_AGENT]) view_say(v, "a profile needs the agent:  alloctop run -- CMD,  alloctop attach PID");
	else if (act_begin(v->act, s->pid, s->text[STATE_PROGRAM], format)) view_say(v, "one is being written already");
	else view_say(v, "writing the profile...");
}

static void go_to(struct view *v, unsigned panel)
{
	v->current = panel;
	v->mode = VIEW_TABLE;
}

static void other(struct view *v)
{
	const struct panel *p = view_panel(v)->other;

	if (!p) return;
	v->shown_as[v->current] = p;
	grid_close(&v->grid[v->current]);
	grid_init(&v->grid[v->current], p->shape);
	view_say(v, "%s", p->help);
}

static void open_detail(struct view *v)
{
	const struct table_row *r = grid_row(&v->grid[v->current], v->drawn);

	if (!view_panel(v)->enter || !r) return;
	if (!r->detail) {
		if (view_panel(v)->table == STATE_SITES) view_say(v, "the stack of this row was not kept: rows beyond the 200 largest have none");
		else if (!view_panel(v)->other) view_say(v, "there is no more to say of this row");
		return;
	}
	free(v->detail);
	v->detail = xstrdup(r->detail);
	v->detail_top = v->detail_lines = 0;
	v->mode = VIEW_DETAIL;
}

static enum view_answer enter(struct view *v)
{
	const struct table_row *r = grid_row(&v->grid[v->current], v->drawn);

	if (v->panels != panels_list) {
		open_detail(v);
		return VIEW_STAY;
	}
	if (!r || isnan(r->cell[0].number)) return VIEW_STAY;
	v->open = (pid_t)r->cell[0].number;
	return VIEW_OPEN;
}

static void move_sort(struct view *v, int by)
{
	struct grid *g = &v->grid[v->current];
	const struct table_shape *shape = view_panel(v)->shape;
	unsigned n = shape->ncolumns, to = g->sort >= n ? (by > 0 ? 0 : n - 1) : (g->sort + n + (unsigned)by) % n;

	grid_sort(g, shape, to);
}

static void type(struct view *v, enum view_mode mode)
{
	v->mode = mode;
	v->entry[0] = 0;
}

static void typed(struct view *v, const struct key *k)
{
	struct grid *g = &v->grid[v->current];
	char *word = v->mode == VIEW_SEARCH ? g->search : g->filter;
	size_t n = strlen(v->entry);

	if (k->code == KEYS_BACKSPACE || k->code == 127 || k->code == 8) {
		while (n && ((unsigned char)v->entry[--n] >> 6) == 2) {}
		v->entry[n] = 0;
	} else if (k->code >= ' ' && k->code < 0x110000 && n + 5 < sizeof v->entry) {
		uint32_t c = k->code;
		if (c < 0x80) n += (size_t)snprintf(v->entry + n, 5, "%c", (char)c);
		else if (c < 0x800) snprintf(v->entry + n, 5, "%c%c", (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)));
		else if (c < 0x10000) snprintf(v->entry + n, 5, "%c%c%c", (char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
		else snprintf(v->entry + n, 5, "%c%c%c%c", (char)(0xf0 | c >> 18), (char)(0x80 | (c >> 12 & 63)), (char)(0x80 | (c >> 6 & 63)), (char)(0x80 | (c & 63)));
	} else if (k->code == KEYS_ESCAPE) {
		*word = 0;
		v->mode = VIEW_TABLE;
		return;
	} else if (k->code == KEYS_ENTER || k->code == '\r') {
		v->mode = VIEW_TABLE;
		strcpy(word, v->entry);
		if (word == g->search && *word && v->drawn && !grid_search(g, v->drawn, 0, 1)) view_say(v, "not found: %s", word);
		return;
	} else {
		return;
	}
	/* at once, while it is typed */
	strcpy(word, v->entry);
	if (word == g->search && v->drawn) grid_search(g, v->drawn, 0, 1);
}

static void scroll(size_t *top, size_t lines, unsigned page, const struct key *k)
{
	size_t most = lines > page ? lines - page : 0, p = page > 1 ? page - 1 : 1;

	switch (k->code) {
	case KEYS_UP: case 'k': if (*top) --*top; break;
	case KEYS_DOWN: case 'j': ++*top; break;
	case KEYS_WHEEL_UP: *top = *top > 3 ? *top - 3 : 0; break;
	case KEYS_WHEEL_DOWN: *top += 3; break;
	case KEYS_PAGE_UP: *top = *top > p ? *top - p : 0; break;
	case KEYS_PAGE_DOWN: case ' ': *top += p; break;
	case KEYS_HOME: case 'g': *top = 0; break;
	case KEYS_END: case 'G': *top = most; break;
	}
	if (*top > most) *top = most;
}

static void sort_key(struct view *v, const struct key *k)
{
	const struct table_shape *shape = view_panel(v)->shape;

	if ((k->code == KEYS_UP || k->code == 'k') && v->sort_at) v->sort_at--;
	else if ((k->code == KEYS_DOWN || k->code == 'j') && v->sort_at + 1 < shape->ncolumns) v->sort_at++;
	else if (k->code == KEYS_ENTER || k->code == '\r') grid_sort(&v->grid[v->current], shape, v->sort_at), v->mode = VIEW_TABLE;
	else if (k->code == KEYS_ESCAPE || k->code == 'q' || k->code == 's') v->mode = VIEW_TABLE;
}

/* Esc: one thing back at a time. */
static enum view_answer back(struct view *v)
{
	struct grid *g = &v->grid[v->current];

	if (*g->filter || *g->search) *g->filter = *g->search = 0;
	else if (v->fixed) view_go_on(v);
	else if (v->mark) view_set_mark(v, 0);
	else if (v->nested) return VIEW_LEAVE;  /* to the list that it came from */
	return VIEW_STAY;
}

static int click_tab(struct view *v, const struct key *k)
{
	for (unsigned i = 0; i < view_count(v) && k->row == v->tab_row && v->panels != panels_list; i++)
		if (k->column >= v->tab[i].from && k->column < v->tab[i].to) {
			go_to(v, i);
			return 1;
		}
	return 0;
}

static void search_again(struct view *v, int backwards)
{
	struct grid *g = &v->grid[v->current];

	if (!*g->search) view_say(v, "search for what? (/)");
	else if (v->drawn && !grid_search(g, v->drawn, backwards, 0)) view_say(v, "not found: %s", g->search);
}

/* Keys that writing is behind. */
static int writing_key(struct view *v, uint32_t code)
{
	if (code != 'r' && code != 'd' && code != 'f') return 0;
	if (v->recorded) view_say(v, "nothing is written from a recording");
	if (!v->act || v->recorded) return 1;
	if (code == 'r') view_toggle_record(v);
	else write_profile(v, code == 'd' ? "pprof" : "html");
	return 1;
}

static void forget_question(struct view *v)
{
	free(v->question);
	free(v->question_text);
	v->question = v->question_text = NULL;
}

static void begin_attach(struct view *v)
{
	if (v->recorded) view_say(v, "this is a recording: nothing is attached");
	if (!v->attacher || v->recorded || !v->now) return;
	if (*v->gone) view_say(v, "the process has ended");
	else if (attacher_look(v->attacher, v->now->pid)) view_say(v, "one moment: that is under way");
	else view_say(v, "looking at what that would mean...");
}

/* Who does something else by now shall not say yes by a slip. */
void view_ask(struct view *v, const char *title, const char *text)
{
	forget_question(v);
	v->message[0] = 0;
	if (v->mode != VIEW_TABLE) {
		if (v->attacher) attacher_answer(v->attacher, 0);
		view_say(v, "nothing was done (a asks again)");
		return;
	}
	v->question = xstrdup(title);
	v->question_text = xstrdup(text);
	v->detail_top = 0;
	v->mode = VIEW_CONFIRM;
}

void view_tell(struct view *v, const char *text)
{
	enum { LINE = 78 };

	view_say(v, "%s", text);
	if (strlen(v->message) <= LINE || v->mode != VIEW_TABLE) return;
	free(v->detail);
	v->detail = xstrdup(v->message);
	v->message[0] = 0;
	v->detail_top = v->detail_lines = 0;
	v->mode = VIEW_DETAIL;
}

static void answer(struct view *v, int yes)
{
	forget_question(v);
	if (v->attacher) attacher_answer(v->attacher, yes);
	view_say(v, yes ? "one moment..." : "nothing was done");
}

/* What disturbs the target takes a second key. */
static void ask_for_stops(struct view *v)
{
	if (!view_panel(v)->stops || v->recorded || !v->now) return;
	if (*v->gone) view_say(v, "the process has ended");
	else if (v->stops) v->stops = 0, view_say(v, "no thread is stopped any more");
	else v->detail_top = 0, v->mode = VIEW_CONFIRM;
}

static void confirm_key(struct view *v, const struct key *k)
{
	int yes = k->code == 'y' || k->code == 'Y', moves = k->code >= KEYS_UP && k->code < KEYS_REDRAW && k->code != KEYS_CLICK;

	/* what is asked may be longer than the screen */
	if (moves && v->detail_lines > v->detail_rows) {
		scroll(&v->detail_top, v->detail_lines, (unsigned)v->detail_rows, k);
		return;
	}
	v->mode = VIEW_TABLE;
	if (v->question) {
		answer(v, yes);
		return;
	}
	v->stops = yes;
	if (v->stops) view_say(v, "waiting threads are stopped where their stacks need it (Enter shows them, S ends it)");
	else view_say(v, "nothing is stopped");
}

static enum view_answer table_key(struct view *v, const struct key *k)
{
	struct grid *g = &v->grid[v->current];
	int opened = 0;

	for (unsigned i = 0; i < view_count(v); i++)
		if (k->code == (unsigned char)v->panels[i]->key) return go_to(v, i), VIEW_STAY;
	if (k->code == KEYS_CLICK && click_tab(v, k)) return VIEW_STAY;
	if (v->drawn && grid_key(g, v->drawn, k, &opened)) return opened ? enter(v) : VIEW_STAY;
	if (writing_key(v, k->code)) return VIEW_STAY;
	switch (k->code) {
	case 'q': case 'Q': case KEYS_F1 + 9: return VIEW_LEAVE;
	case KEYS_ESCAPE: return back(v);
	case KEYS_TAB: go_to(v, (v->current + 1) % view_count(v)); break;
	case KEYS_BACK_TAB: go_to(v, (v->current + view_count(v) - 1) % view_count(v)); break;
	case KEYS_ENTER: case '\r': return enter(v);
	case 'h': case '?': case KEYS_F1: v->mode = VIEW_HELP, v->help_top = 0; break;
	case 't': case KEYS_F1 + 4: other(v); break;
	case 's': case KEYS_F1 + 5: v->mode = VIEW_SORT, v->sort_at = g->sort < view_panel(v)->shape->ncolumns ? g->sort : 0; break;
	case '<': move_sort(v, -1); break;
	case '>': move_sort(v, 1); break;
	case 'I': g->ascending = !g->ascending; break;
	case '/': case KEYS_F1 + 2: type(v, VIEW_SEARCH); break;
	case '\\': case KEYS_F1 + 3: type(v, VIEW_FILTER); break;
	case 'S': ask_for_stops(v); break;
	case 'a': begin_attach(v); break;
	case 'n': search_again(v, 0); break;
	case 'N': search_again(v, 1); break;
	case ' ': view_pause(v); break;
	case 'm': view_set_mark(v, 1); break;
	case 'M': view_set_mark(v, 0); break;
	case '[': case '{': step(v, 0, k->code == '{' ? 10 : 1); break;
	case ']': case '}': step(v, 1, k->code == '}' ? 10 : 1); break;
	}
	return VIEW_STAY;
}

enum view_answer view_key(struct view *v, const struct key *k)
{
	size_t top = v->help_top;

	v->message[0] = 0;
	switch (v->mode) {
	case VIEW_TABLE: return table_key(v, k);
	case VIEW_SEARCH: case VIEW_FILTER: typed(v, k); break;
	case VIEW_SORT: sort_key(v, k); break;
	case VIEW_CONFIRM: confirm_key(v, k); break;
	case VIEW_DETAIL:
		if (k->code == KEYS_ESCAPE || k->code == 'q' || k->code == KEYS_ENTER || k->code == '\r') v->mode = VIEW_TABLE;
		else scroll(&v->detail_top, v->detail_lines, (unsigned)v->detail_rows, k);
		break;
	case VIEW_HELP:
		/* as far as there is text: see help_draw */
		if (k->code == KEYS_ESCAPE || k->code == 'q' || k->code == 'h' || k->code == '?' || k->code == KEYS_F1 || k->code == KEYS_ENTER) v->mode = VIEW_TABLE;
		else scroll(&top, 200, v->body_rows, k), v->help_top = (unsigned)top;
		break;
	}
	return VIEW_STAY;
}
