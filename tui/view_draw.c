/* view_draw.c: the screen of a view: header, tabs, the panel or what lies over it, keys. */
#include <stdio.h>
#include <string.h>

#include "inspect/model/state.h"
#include "inspect/model/table.h"
#include "tui/panel.h"
#include "tui/surface.h"
#include "tui/view.h"

static void tabs(struct view *v, struct surface *s, unsigned row)
{
	unsigned at = 0;
	/* all names, or where there is no room for them the one that is looked at */
	int narrow = s->columns < 75, narrower = s->columns < 60;

	v->tab_row = row;
	for (unsigned i = 0; v->panels[i]; i++) {
		enum style style = i == v->current ? STYLE_TAB_ON : STYLE_TAB;
		v->tab[i].from = at;
		if (narrower && i != v->current) at = surface_print(s, row, at, style, "%c ", v->panels[i]->key);
		else if (narrow) at = surface_print(s, row, at, style, i == v->current ? "[%c%s]" : "%c%s ", v->panels[i]->key, v->panels[i]->name);
		else at = surface_print(s, row, at, style, i == v->current ? "[%c %s]" : " %c %s ", v->panels[i]->key, v->panels[i]->name);
		v->tab[i].to = at;
		if (s->columns >= 90) at++;
	}
	if (view_panel(v)->other && at + 12 < s->columns) {
		const char *how = view_panel(v)->table == STATE_SITES ? "flat" : view_panel(v)->table == STATE_CALLEES ? "tree" : "callers";
		surface_print(s, row, at + 1, STYLE_DIM, "%s (t)", how);
	}
}

/* What is to be done, about this process, and by a key where there is one. */
static void remedy(const struct view *v, char *out, size_t n, const char *text)
{
	static const char place[] = "alloctop attach PID";
	const struct state *x = view_state(v);
	const char *at = strstr(text, place);

	if (!at || !x || v->panels == panels_list) snprintf(out, n, "%s", text);
	else snprintf(out, n, "%.*salloctop attach %d%s%s", (int)(at - text), text, (int)x->pid, at + sizeof place - 1, view_attaches(v) ? "  (or by the key a, which asks first)" : "");
}

/* What the panel shows: the table of the moment, or what it is more or less than the mark's. A user of it is the caller's. */
static struct table *table_of(struct view *v, int *difference)
{
	enum state_table k = view_panel(v)->table;
	const struct state *s = view_state(v);
	struct table *t = k == STATE_TABLES ? v->log : s ? s->table[k] : NULL, *base = k < STATE_TABLES && v->mark ? v->mark->table[k] : NULL;

	*difference = t && base && v->mark != s;
	if (*difference) return table_difference(t, base);
	return table_use(t);
}

/* Lines that are too long go on below, so that nothing is cut off. How many lines that makes. */
static unsigned lines(struct surface *s, unsigned row, unsigned rows, unsigned top, unsigned column, enum style first, const char *text)
{
	unsigned n = 0, most = s->columns > column + 1 ? s->columns - column - 1 : 1;

	for (const char *p = text; *p; p += *p == '\n') {
		unsigned skip = n < top ? top - n : 0, at = n > top ? n - top : 0;
		n += surface_wrap(s, row + at, at < rows ? rows - at : 0, skip, column, most, n ? STYLE_PLAIN : first, p);
		p += strcspn(p, "\n");
	}
	return n;
}

/* The end is as far as it scrolls. */
static void scrolled(struct view *v, struct surface *s, unsigned row, unsigned rows, unsigned column, enum style first, const char *text)
{
	unsigned n = lines(s, 0, 0, 0, column, first, text);

	v->detail_lines = n;
	v->detail_rows = rows;
	if (v->detail_top + rows > n) v->detail_top = n > rows ? n - rows : 0;
	lines(s, row, rows, (unsigned)v->detail_top, column, first, text);
}

/* What is about to be done, to whom. */
static void question(struct view *v, struct surface *s, unsigned row, unsigned rows)
{
	char text[1024];

	if (v->question) snprintf(text, sizeof text, "%s", v->question);
	else snprintf(text, sizeof text, "Stop threads of %.60s, pid %d, for their call stacks?", v->now->text[STATE_PROGRAM], (int)v->now->pid);
	unsigned n = surface_wrap(s, row, rows, 0, 2, s->columns > 3 ? s->columns - 3 : 1, STYLE_WARN, text);
	if (rows > n + 3) n++;
	if (rows > n) scrolled(v, s, row + n, rows - n, 2, STYLE_PLAIN, v->question ? v->question_text : view_panel(v)->stops);
}

static void body(struct view *v, struct surface *s, unsigned row, unsigned rows)
{
	struct grid *g = &v->grid[v->current];
	char text[1024];
	int difference;

	table_leave(v->drawn);
	v->drawn = table_of(v, &difference);
	if (!v->drawn || !v->drawn->nrows) {
		const struct state *x = view_state(v);
		const char *why = v->drawn && *v->drawn->note ? v->drawn->note : view_panel(v)->without;
		remedy(v, text, sizeof text, why);
		if (x || *v->gone) surface_wrap(s, row + 1, rows > 1 ? rows - 1 : 0, 0, 2, s->columns > 4 ? s->columns - 4 : 1, STYLE_DIM, text);
		if (v->drawn) grid_arrange(g, v->drawn);
		return;
	}
	if (v->mark && !difference && v->mark != view_state(v) && view_panel(v)->table < STATE_TABLES) view_say(v, "this panel was not read when the mark was set: no difference");
	grid_arrange(g, v->drawn);
	/* a fifth of the lines at most */
	remedy(v, text, sizeof text, v->drawn->note);
	unsigned noted = *text && rows > 5 && v->panels != panels_list ? surface_wrap(s, 0, 0, 0, 0, s->columns, STYLE_DIM, text) : 0;
	if (noted > rows / 5) noted = rows / 5 ? rows / 5 : 1;
	grid_draw(g, v->drawn, s, row, rows - noted, difference);
	if (!g->nvisible) surface_print(s, row + 2, 2, STYLE_DIM, "No row has \"%s\" in it (Esc ends the filter).", g->filter);
	if (noted) surface_wrap(s, row + rows - noted, noted, 0, 0, s->columns, STYLE_DIM, text);
}

static void sort_menu(struct view *v, struct surface *s, unsigned row, unsigned rows)
{
	const struct table_shape *shape = view_panel(v)->shape;
	unsigned top = v->sort_at >= rows ? v->sort_at - rows + 1 : 0;

	for (unsigned c = top; c < shape->ncolumns && c - top < rows; c++) {
		enum style style = c == v->sort_at ? STYLE_SELECTED : STYLE_PLAIN;
		const char *title = *shape->column[c].title ? shape->column[c].title : "(bar)";
		surface_fill(s, row + c - top, 0, s->columns, style, ' ');
		surface_put(s, row + c - top, 1, 18, style, title);
		surface_cut(s, row + c - top, 20, s->columns, style, shape->column[c].help);
	}
}

struct hint { const char *key, *word; };

/* As many as fit, the last one, which leaves, always. */
static void hints(struct surface *s, unsigned row, const struct hint *h)
{
	unsigned at = 0, left = s->columns;
	const struct hint *last = h;

	while (last[1].key) last++;
	unsigned end = surface_width(last->key) + surface_width(last->word) + 1;
	for (; h->key; h++) {
		unsigned w = surface_width(h->key) + surface_width(h->word) + 1;
		if (!*h->key || (h != last && at + w + 2 + end > left)) continue;
		at = surface_put(s, row, at, s->columns, STYLE_KEY_NAME, h->key) + 1;
		at = surface_put(s, row, at, s->columns, STYLE_KEY, h->word) + 2;
	}
}

static void bottom(const struct view *v, struct surface *s, unsigned row)
{
	static const struct hint detail_keys[] = { { "Esc", "back" }, { "up down PgUp PgDn", "scroll" }, { NULL, NULL } };
	const struct hint confirm_keys[] = { { "y", "yes" }, { v->detail_lines > v->detail_rows ? "up down PgUp PgDn" : "", "there is more" }, { "any other key", "no" }, { NULL, NULL } };
	static const struct hint sort_keys[] = { { "Enter", "sort by it, or turn it round" }, { "Esc", "back" }, { NULL, NULL } };
	const struct panel *p = view_panel(v);
	int writes = v->act && !v->recorded, profiles = writes && v->now && *v->now->text[STATE_AGENT];
	const struct hint keys[] = {
		{ "h", "help" }, { p->enter ? "Enter" : "", v->panels == panels_list ? "open" : "more" }, { p->other ? "t" : "", "tree" },
		{ p->stops && !v->recorded ? "S" : "", v->stops ? "no stops" : "stacks" }, { "space", v->recorded ? "play" : v->fixed ? "go on" : "pause" }, { "m", "mark" }, { "[ ]", "time" }, { "/", "search" }, { "s", "sort" }, { "\\", "filter" },
		{ profiles ? "d" : "", "profile" }, { profiles ? "f" : "", "flame graph" }, { writes ? "r" : "", v->record ? "stop" : "record" }, { v->attacher && !v->recorded ? "a" : "", v->now && v->now->figure[STATE_ATTACHED] > 0 ? "detach" : "attach" },
		{ "q", v->nested ? "back" : "quit" }, { NULL, NULL },
	};

	if (v->mode == VIEW_SEARCH || v->mode == VIEW_FILTER) {
		unsigned at = surface_put(s, row, 0, s->columns, STYLE_STRONG, v->mode == VIEW_SEARCH ? "search: " : "only rows with: ");
		at = surface_put(s, row, at, s->columns, STYLE_PLAIN, v->entry);
		surface_fill(s, row, at, 1, STYLE_SELECTED, ' ');
	} else if (*v->message) {
		surface_cut(s, row, 0, s->columns, STYLE_STRONG, v->message);
	} else if (v->mode == VIEW_TABLE && *v->grid[v->current].filter) {
		surface_print(s, row, 0, STYLE_WARN, "only rows with \"%s\" (Esc: all)", v->grid[v->current].filter);
	} else {
		hints(s, row, v->mode == VIEW_TABLE ? keys : v->mode == VIEW_CONFIRM ? confirm_keys : v->mode == VIEW_SORT ? sort_keys : detail_keys);
	}
}

void view_draw(struct view *v, struct surface *s)
{
	unsigned row = header_draw(v, s), keys = s->rows > 4, last = s->rows - keys;

	if (row < last && v->panels != panels_list && s->rows > 3) tabs(v, s, row++);
	v->body_rows = row < last ? last - row : 0;
	if (v->body_rows && v->mode == VIEW_DETAIL) scrolled(v, s, row, v->body_rows, 1, STYLE_STRONG, v->detail);
	else if (v->body_rows && v->mode == VIEW_HELP) help_draw(v, s, row, v->body_rows);
	else if (v->body_rows && v->mode == VIEW_CONFIRM) question(v, s, row, v->body_rows);
	else if (v->body_rows && v->mode == VIEW_SORT) sort_menu(v, s, row, v->body_rows);
	else if (v->body_rows) body(v, s, row, v->body_rows);
	if (keys) bottom(v, s, last);
}
