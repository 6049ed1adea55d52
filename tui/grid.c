/* grid.c: see grid.h. */
#include "tui/grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/table.h"
#include "inspect/target/xalloc.h"
#include "tui/keys.h"
#include "tui/surface.h"

enum { REST_MIN = 13, REST_WIDE = 22, REST_AMPLE = 40, NAME_MIN = 8, INDENT_MAX = 40 };

static int is_tree(const struct table *t)
{
	for (size_t i = 0; i < t->nrows; i++)
		if (t->row[i].depth) return 1;
	return 0;
}

static int is_leaf(const struct table *t, const struct table_row *r) { return r + 1 == t->row + t->nrows || r[1].depth <= r->depth; }

void grid_init(struct grid *g, const struct table_shape *shape)
{
	*g = (struct grid){ 0 };
	grid_sort(g, shape, shape->sort);
}

void grid_close(struct grid *g)
{
	free(g->visible);
	*g = (struct grid){ 0 };
}

void grid_sort(struct grid *g, const struct table_shape *shape, unsigned column)
{
	if (column == g->sort && g->nvisible) {
		g->ascending = !g->ascending;
		return;
	}
	g->sort = column;
	g->ascending = column < shape->ncolumns && (shape->column[column].flags & COLUMN_ASCENDING);
}

static int folded(const struct grid *g, uint64_t id)
{
	for (size_t i = 0; i < g->nfolded; i++)
		if (g->folded[i] == id) return (int)i + 1;
	return 0;
}

static void fold(struct grid *g, uint64_t id, int close)
{
	int at = folded(g, id);

	if (close && !at && g->nfolded < GRID_FOLDED) g->folded[g->nfolded++] = id;
	if (!close && at) g->folded[at - 1] = g->folded[--g->nfolded];
}

/* Upper and lower case are the same, unless the word has upper case. */
static int contains(const char *text, const char *word)
{
	for (const char *p = word; *p; p++)
		if (*p >= 'A' && *p <= 'Z') return strstr(text, word) != NULL;
	return strcasestr(text, word) != NULL;
}

static int matches(const struct table *t, const struct table_row *r, const char *word)
{
	char buf[TABLE_CELL];

	for (unsigned c = 0; c < t->shape->ncolumns; c++) {
		const struct table_column *k = &t->shape->column[c];
		if (k->kind != FIGURE_TEXT && k->kind != FIGURE_NUMBER && k->kind != FIGURE_ADDRESS) continue;
		table_cell(k, &r->cell[c], 0, buf);
		if (contains(buf, word)) return 1;
	}
	return 0;
}

/* Which rows pass: those with the word in them, and those above them in the tree. */
static void filter(const struct grid *g, const struct table *t, unsigned char *passes)
{
	unsigned above = 0;     /* rows less deep than this are above one that passes */

	for (size_t i = t->nrows; i-- > 0;) {
		passes[i] = (unsigned char)(t->row[i].depth < above || matches(t, &t->row[i], g->filter));
		if (passes[i]) above = t->row[i].depth;
	}
}

void grid_arrange(struct grid *g, const struct table *t)
{
	int tree = is_tree(t);
	size_t *order = table_order(t, g->sort, g->ascending), found = SIZE_MAX;
	unsigned char *filtered = *g->filter ? xcalloc(t->nrows + 1, 1) : NULL;
	unsigned hidden = 0;    /* deeper rows are folded away; 0: none */

	if (filtered) filter(g, t, filtered);
	free(g->visible);
	g->visible = order;
	g->nvisible = 0;
	for (size_t i = 0; i < t->nrows; i++) {
		const struct table_row *r = &t->row[order[i]];
		if (hidden && r->depth < hidden) hidden = 0;
		if (hidden && tree && !*g->filter) continue;
		if (tree && folded(g, r->id)) hidden = r->depth + 1;
		if (filtered && !filtered[order[i]]) continue;
		if (g->follow && r->id == g->id) found = g->nvisible;
		g->visible[g->nvisible++] = order[i];
	}
	free(filtered);
	if (found != SIZE_MAX) g->selected = found;
	if (g->selected >= g->nvisible) g->selected = g->nvisible ? g->nvisible - 1 : 0;
}

const struct table_row *grid_row(const struct grid *g, const struct table *t)
{
	return t && g->selected < g->nvisible && g->visible[g->selected] < t->nrows ? &t->row[g->visible[g->selected]] : NULL;
}

/* A sign takes one more: a figure that was cut would be another figure. */
static unsigned width_of(const struct table_column *k, int difference)
{
	return k->width + (difference && k->width && k->width < 7 && k->kind != FIGURE_TEXT && k->kind != FIGURE_BAR && !(k->flags & COLUMN_FIXED));
}

/* Nothing is known in it. */
static int is_blank(const struct table *t, unsigned column)
{
	const struct table_column *k = &t->shape->column[column];

	for (size_t i = 0; i < t->nrows; i++)
		if (k->kind == FIGURE_TEXT ? *t->row[i].cell[column].text != 0 : !isnan(t->row[i].cell[column].number)) return 0;
	return 1;
}

/* How wide each column is; 0: there is no room for it. */
typedef unsigned widths[TABLE_COLUMNS_MAX];

/* Which columns fit, beside the last, which takes the rest and at least `least` of it: where there is not room for all, those in which nothing
 * is known go first, but for the one that it is sorted by, then those to the right. How many figures are among them. */
static unsigned fit(const struct grid *g, const struct table *t, unsigned width, unsigned least, int difference, widths show, unsigned *used)
{
	const struct table_shape *s = t->shape;
	unsigned last = s->ncolumns - 1, all = least, figures = 0;

	memset(show, 0, sizeof(widths));
	*used = least;
	for (unsigned c = 0; c < last; c++) all += width_of(&s->column[c], difference) + 1;
	for (unsigned c = 0; c < last; c++) {
		unsigned w = width_of(&s->column[c], difference) + 1;
		if (all > width && c != g->sort && is_blank(t, c)) continue;
		if (*used + w > width + !least) break;
		*used += w;
		show[c] = w - 1;
		figures += s->column[c].kind != FIGURE_TEXT && s->column[c].kind != FIGURE_BAR;
	}
	return figures;
}

/* A name that leaves no room for a figure is cut, so that the first figure of which something is known has some. Whether that helps. */
static int squeeze(const struct table *t, unsigned width, int difference, widths show)
{
	const struct table_shape *s = t->shape;

	if (s->column[0].kind != FIGURE_TEXT || !s->column[0].width) return 0;
	for (unsigned c = 1; c < s->ncolumns; c++) {
		unsigned w = width_of(&s->column[c], difference);
		if (s->column[c].kind == FIGURE_TEXT || s->column[c].kind == FIGURE_BAR || is_blank(t, c)) continue;
		if (width < w + 1 + NAME_MIN) return 0;
		memset(show, 0, sizeof(widths));
		show[0] = width - w - 1;
		show[c] = w;
		return 1;
	}
	return 0;
}

/* The last column is left out where only without it there is a figure. */
static void choose(const struct grid *g, const struct table *t, unsigned width, int difference, widths show)
{
	unsigned end = t->shape->ncolumns - 1;
	const struct table_column *last = &t->shape->column[end];
	unsigned least = last->width ? last->width : last->flags & COLUMN_WIDE ? REST_WIDE : REST_MIN, used;

	if (!fit(g, t, width, least, difference, show, &used) && (fit(g, t, width, 0, difference, show, &used) || squeeze(t, width, difference, show))) return;
	fit(g, t, width, least, difference, show, &used);
	show[end] = last->width ? last->width : used > least ? least + (width > used ? width - used : 0) : width;
	for (unsigned c = 0; c < end; c++) {
		unsigned more = show[end] > REST_AMPLE ? show[end] - REST_AMPLE : 0;
		if (!(t->shape->column[c].flags & COLUMN_GROWS) || !show[c]) continue;
		if (more > show[c]) more = show[c];
		show[c] += more;
		show[end] -= more;
	}
}

/* A command line without the folder of its program. */
static void shorten(char *text)
{
	const char *base = text;

	for (const char *p = text; *p && *p != ' '; p++)
		if (*p == '/' && p[1] && p[1] != ' ') base = p + 1;
	memmove(text, base, strlen(base) + 1);
}

static void cell(const struct grid *g, const struct table *t, const struct table_row *r, unsigned c, struct surface *s, unsigned row, unsigned at, unsigned width, int difference,
                 int tree, enum style style)
{
	const struct table_column *k = &t->shape->column[c];
	char buf[TABLE_CELL + INDENT_MAX + 8], *text = buf;
	unsigned w;

	if (k->kind == FIGURE_BAR) {
		surface_bar(s, row, at, width, STYLE_BAR, r->cell[c].number);
		return;
	}
	if (tree && c + 1 == t->shape->ncolumns) {
		unsigned in = r->depth < INDENT_MAX ? r->depth : INDENT_MAX;
		text += snprintf(buf, sizeof buf, "%*s%s ", (int)in, "", is_leaf(t, r) ? " " : folded(g, r->id) ? "▸" : "▾");
	}
	table_cell(k, &r->cell[c], difference, text);
	w = surface_width(buf);
	if (difference && style == STYLE_PLAIN && k->kind != FIGURE_TEXT && !(k->flags & COLUMN_FIXED)) style = *text == '+' ? STYLE_UP : *text == '-' && text[1] ? STYLE_DOWN : STYLE_DIM;
	if (!strcmp(text, "-") && style == STYLE_PLAIN) style = STYLE_DIM;
	if (k->flags & COLUMN_COMMAND && w > width) shorten(text);
	if (k->flags & COLUMN_TAIL) surface_tail(s, row, at, width, style, buf);
	else if (k->kind == FIGURE_TEXT) surface_cut(s, row, at, width, style, buf);
	else if (w > width) surface_fill(s, row, at, width, style, '*');
	else surface_put(s, row, at + width - w, width, style, buf);
}

static void titles(struct grid *g, const struct table_shape *shape, struct surface *s, unsigned row, const widths show)
{
	unsigned at = 0, n = 0;

	surface_fill(s, row, 0, s->columns, STYLE_TITLE, ' ');
	for (unsigned c = 0; c < shape->ncolumns && n < 32; c++) {
		const struct table_column *k = &shape->column[c];
		unsigned width = show[c], w;
		char title[64];
		if (!show[c]) continue;
		int sorted = c == g->sort;
		snprintf(title, sizeof title, "%s%s", k->title, sorted && g->ascending ? "▲" : sorted && surface_width(k->title) < width ? "▼" : "");
		w = surface_width(title);
		if (k->kind == FIGURE_TEXT || k->kind == FIGURE_BAR || w >= width) surface_put(s, row, at, width, sorted ? STYLE_SORTED : STYLE_TITLE, title);
		else surface_put(s, row, at + width - w, width, sorted ? STYLE_SORTED : STYLE_TITLE, title);
		g->title[n].from = at;
		g->title[n].to = at + width;
		g->title[n++].column = c;
		at += width + 1;
	}
	g->ncolumns = n;
	g->title_row = row;
}

void grid_draw(struct grid *g, const struct table *t, struct surface *s, unsigned row, unsigned rows, int difference)
{
	widths show;
	int tree = is_tree(t);

	g->rows = 0;
	if (!rows) return;
	choose(g, t, s->columns, difference, show);
	titles(g, t->shape, s, row++, show);
	g->row0 = row;
	g->rows = --rows;
	if (g->selected < g->top) g->top = g->selected;
	if (rows && g->selected >= g->top + rows) g->top = g->selected - rows + 1;
	if (g->top + rows > g->nvisible) g->top = g->nvisible > rows ? g->nvisible - rows : 0;
	for (unsigned i = 0; i < rows && g->top + i < g->nvisible; i++, row++) {
		const struct table_row *r = &t->row[g->visible[g->top + i]];
		int selected = g->top + i == g->selected;
		enum style style = selected ? STYLE_SELECTED : *g->search && matches(t, r, g->search) ? STYLE_FOUND : STYLE_PLAIN;
		unsigned at = 0;
		if (selected) surface_fill(s, row, 0, s->columns, STYLE_SELECTED, ' ');
		for (unsigned c = 0; c < t->shape->ncolumns; c++) {
			if (!show[c]) continue;
			cell(g, t, r, c, s, row, at, show[c], difference, tree, style);
			at += show[c] + 1;
		}
		if (selected) surface_style(s, row, 0, s->columns, STYLE_SELECTED);
	}
}

static void move(struct grid *g, const struct table *t, size_t to)
{
	if (!g->nvisible) return;
	g->selected = to < g->nvisible ? to : g->nvisible - 1;
	g->follow = 1;
	g->id = t->row[g->visible[g->selected]].id;
}

static int click(struct grid *g, const struct table *t, const struct key *k, int *opened)
{
	if (k->row == g->title_row) {
		for (unsigned i = 0; i < g->ncolumns; i++)
			if (k->column >= g->title[i].from && k->column <= g->title[i].to) grid_sort(g, t->shape, g->title[i].column);
		return 1;
	}
	if (k->row < g->row0 || k->row >= g->row0 + g->rows) return 0;
	size_t to = g->top + (k->row - g->row0);
	if (to >= g->nvisible) return 1;
	*opened = g->follow && to == g->selected;
	move(g, t, to);
	return 1;
}

/* The arrows to the sides: closes or opens a branch; on a closed one, or a leaf, goes to its parent. */
static void side(struct grid *g, const struct table *t, int right)
{
	const struct table_row *r = grid_row(g, t);

	if (!r) return;
	int leaf = is_leaf(t, r);
	if (right || (!leaf && !folded(g, r->id))) {
		if (!leaf) fold(g, r->id, !right);
		return;
	}
	for (size_t i = g->selected; i-- > 0;)
		if (t->row[g->visible[i]].depth < r->depth) {
			move(g, t, i);
			return;
		}
}

int grid_key(struct grid *g, const struct table *t, const struct key *k, int *opened)
{
	size_t page = g->rows > 1 ? g->rows - 1 : 1;
	const struct table_row *r;
	int tree = is_tree(t);

	*opened = 0;
	switch (k->code) {
	case KEYS_UP: case 'k': move(g, t, g->selected ? g->selected - 1 : 0); return 1;
	case KEYS_DOWN: case 'j': move(g, t, g->selected + 1); return 1;
	case KEYS_PAGE_UP: move(g, t, g->selected > page ? g->selected - page : 0); return 1;
	case KEYS_PAGE_DOWN: move(g, t, g->selected + page); return 1;
	case KEYS_WHEEL_UP: move(g, t, g->selected > 3 ? g->selected - 3 : 0); return 1;
	case KEYS_WHEEL_DOWN: move(g, t, g->selected + 3); return 1;
	case KEYS_HOME: case 'g':
		/* at the top the largest is looked at, whichever it is */
		move(g, t, 0);
		g->follow = 0;
		return 1;
	case KEYS_END: case 'G': move(g, t, g->nvisible); return 1;
	case KEYS_LEFT: case KEYS_RIGHT:
		if (tree) side(g, t, k->code == KEYS_RIGHT);
		return 1;
	case '+': case '-':
		if (tree && (r = grid_row(g, t))) fold(g, r->id, k->code == '-');
		return 1;
	case KEYS_ENTER:
		if (!tree || !(r = grid_row(g, t)) || is_leaf(t, r)) return 0;
		fold(g, r->id, !folded(g, r->id));
		return 1;
	case KEYS_CLICK: return click(g, t, k, opened);
	}
	return 0;
}

int grid_search(struct grid *g, const struct table *t, int backwards, int from_here)
{
	for (size_t i = from_here ? 0 : 1; i <= g->nvisible && g->nvisible && *g->search; i++) {
		size_t at = (g->selected + (backwards ? g->nvisible - i % g->nvisible : i)) % g->nvisible;
		if (!matches(t, &t->row[g->visible[at]], g->search)) continue;
		move(g, t, at);
		return 1;
	}
	return 0;
}
