/* help.c: what the panel shows, what its columns mean, and every key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/table.h"
#include "tui/panel.h"
#include "tui/surface.h"
#include "tui/view.h"

struct key_help { const char *keys, *what; int which; };
enum { ALWAYS, PROCESS = 1, ONE_OF_PANELS = 2, SITES = 4, ENTERS = 8, GROUPS = 128, LIVE = 16, RECORDED = 32, WRITES = 64, STOPS = 256, ATTACHES = 512 };

static const struct key_help keys[] = {
	{ "1 - 8  Tab  S-Tab", "another panel", ONE_OF_PANELS },
	{ "up down PgUp PgDn", "move; also k j, the wheel; a click selects", ALWAYS },
	{ "Home End", "first and last row; also g G", ALWAYS },
	{ "Enter", NULL, ENTERS },
	{ "+ -", "in a tree: open or close a branch; also right, left, Enter", SITES | GROUPS },
	{ "t  F5", "flat, tree from main down, tree of callers", SITES },
	{ "t  F5", "one list, or by container", GROUPS },
	{ "s  F6", "sort by a column; < and > change it, I reverses", ALWAYS },
	{ "/  F3", "search; n and N: the next one, the one before", ALWAYS },
	{ "\\  F4", "show only rows with a word in them; empty: all rows", ALWAYS },
	{ "space", "pause the display, go on", LIVE },
	{ "space", "play the recording, or stop", RECORDED },
	{ "[ ]", "a moment back, a moment forth; { and } ten of them", ALWAYS },
	{ "m", "mark: show differences since now; M ends that", ALWAYS },
	{ "r", "record to a file, end that; see alloctop replay", WRITES },
	{ "d", "write a profile for pprof into this directory (agent)", WRITES },
	{ "f", "write a flame graph for a browser (agent)", WRITES },
	{ "S", "stop waiting threads for their call stacks: asks first", STOPS },
	{ "a", "put the agent in, or take it out: shows what that means, and asks", ATTACHES },
	{ "h  ?  F1", "this help", ALWAYS },
	{ "Esc", "back: from here, from a filter, from the past to now", ALWAYS },
	{ "q  F10  ^C", "leave", ALWAYS },
	{ NULL, NULL, 0 },
};

static unsigned applies(const struct view *v, const struct panel *p)
{
	return (v->panels == panels_list ? 0 : PROCESS | ONE_OF_PANELS) | (p->other ? v->panels == panels_list ? GROUPS : SITES : 0) | (p->enter ? ENTERS : 0) | (v->recorded ? RECORDED : LIVE) |
	       (v->act && !v->recorded ? WRITES : 0) | (p->stops && !v->recorded ? STOPS : 0) | (v->attacher && !v->recorded ? ATTACHES : 0);
}

/* Lines are counted also where they are not seen, so that it scrolls. What is too long for a line goes on below. */
struct page { struct surface *s; unsigned row, rows, top, line; };

static void line(struct page *p, enum style left_style, const char *left, const char *text)
{
	unsigned skip = p->line < p->top ? p->top - p->line : 0, at = p->line > p->top ? p->line - p->top : 0, rows = at < p->rows ? p->rows - at : 0;
	unsigned column = *left ? 20 : 1;

	if (rows && !skip) surface_put(p->s, p->row + at, 1, 19, left_style, left);
	p->line += surface_wrap(p->s, p->row + at, rows, skip, column, p->s->columns > column + 1 ? p->s->columns - column : 1, STYLE_PLAIN, text);
}

static void columns_help(struct page *p, const struct table_shape *shape)
{
	for (unsigned c = 0; c < shape->ncolumns; c++) {
		const struct table_column *k = &shape->column[c];
		line(p, STYLE_STRONG, *k->title ? k->title : "(bar)", k->help);
	}
}

static void all(const struct view *v, struct page *p)
{
	const struct panel *panel = view_panel(v);

	line(p, STYLE_PLAIN, "", panel->help);
	line(p, STYLE_PLAIN, "", "");
	for (const struct key_help *k = keys; k->keys; k++)
		if (k->which == ALWAYS || (applies(v, panel) & (unsigned)k->which)) line(p, STYLE_KEY_NAME, k->keys, k->what ? k->what : panel->enter);
	line(p, STYLE_PLAIN, "", "");
	columns_help(p, panel->shape);
	line(p, STYLE_PLAIN, "", "");
	line(p, STYLE_PLAIN, "", "± is the standard error of the figure before it; - is not known, not zero.");
	static const char *const disturbs[] = {
		"Nothing here writes into the target or stops it.", "Nothing here writes into the target; S stops its threads, when you say so.",
		"Nothing here writes into the target or stops it, but for a, when you say so.", "Nothing here writes into the target or stops it, but for a and S, when you say so.",
	};
	line(p, STYLE_PLAIN, "", disturbs[(applies(v, panel) & STOPS ? 1 : 0) + (applies(v, panel) & ATTACHES ? 2 : 0)]);
}

void help_draw(struct view *v, struct surface *s, unsigned row, unsigned rows)
{
	struct page count = { .s = s }, page = { .s = s, .row = row, .rows = rows };

	all(v, &count);
	if (v->help_top + rows > count.line) v->help_top = count.line > rows ? count.line - rows : 0;
	page.top = v->help_top;
	all(v, &page);
}
