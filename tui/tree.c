/* tree.c: the live heap as a call tree: from main down to who allocates (callees), or from who allocates up to main (callers). What is
 * below half a percent is left out, so that the tree is one that can be read. */
#include "tui/panel.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/model/snapshot.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/xalloc.h"
#include "tui/frames.h"

enum { NODES_MAX = 200000, ROWS_MAX = 3000, STACK_MAX = 256, DEPTH_MAX = 100, COLUMN_FUNCTION = 5 };
static const double least = 0.005;

static const struct table_column column[] = {
	{ "live", "LIVE", 5, FIGURE_BYTES, 0, "live bytes allocated here and in what it calls" },
	{ "share", "SHARE", 6, FIGURE_SHARE, 0, "of all live bytes" },
	{ "bar", "", 8, FIGURE_BAR, COLUMN_FIXED, "SHARE as a bar" },
	{ "self", "SELF", 5, FIGURE_BYTES, 0, "live bytes allocated by this frame itself" },
	{ "objects", "OBJS", 5, FIGURE_COUNT, 0, "blocks allocated and not freed" },
	{ "function", "FUNCTION", 0, FIGURE_TEXT, 0, "the frame; below it what it calls, or who calls it" },
};
static const struct table_shape shape_callees = { "callees", column, 6, 6 }, shape_callers = { "callers", column, 6, 6 };

struct node { const char *name; double bytes, self, objects; unsigned parent, child, next; };
struct tree { struct node *node; unsigned n; };

static int differs(const char *a, const char *b) { return a != b && strcmp(a, b); }

/* The child of that name: found, or made. 0 when there are too many. */
static unsigned child(struct tree *t, unsigned parent, const char *name)
{
	unsigned i = t->node[parent].child;

	while (i && differs(t->node[i].name, name)) i = t->node[i].next;
	if (i || t->n == NODES_MAX) return i;
	if (!(t->n & (t->n - 1))) t->node = xreallocarray(t->node, 2 * (size_t)t->n, sizeof *t->node);
	t->node[t->n] = (struct node){ .name = xstrdup(name), .parent = parent, .next = t->node[parent].child };
	return t->node[parent].child = t->n++;
}

/* Frames in names, innermost first. Names are copied: those of nameless code do not last. */
static unsigned names(const struct snap_site *s, struct symbolizer *symbols, char *out[STACK_MAX])
{
	const char *name[FRAMES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < s->depth; i++) {
		unsigned k = frames_names(s->pc[i] - 1, symbols, name);
		for (unsigned j = 0; j < k && n < STACK_MAX; j++) out[n++] = xstrdup(name[j]);
	}
	if (!n) out[n++] = xstrdup("[stack not recorded]");
	return n;
}

static void add(struct tree *t, const struct snap_site *s, struct symbolizer *symbols, int callers)
{
	char *name[STACK_MAX];
	unsigned n = names(s, symbols, name), at = 0;

	for (unsigned i = 0; i < n && i < DEPTH_MAX; i++) {
		unsigned next = child(t, at, name[callers ? i : n - 1 - i]);
		if (!next) break;
		t->node[next].bytes += s->live_bytes;
		t->node[next].objects += s->live_objects;
		if (callers ? !i : i + 1 == n) t->node[next].self += s->live_bytes;
		at = next;
	}
	for (unsigned i = 0; i < n; i++) free(name[i]);
	t->node[0].bytes += s->live_bytes;
}

struct order { double bytes; unsigned node; };

static int by_bytes(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : (x->node > y->node) - (x->node < y->node);
}

static void put(struct table *t, const struct tree *tree, unsigned at, unsigned depth, uint64_t id)
{
	size_t n = 0, k = 0;

	for (unsigned i = tree->node[at].child; i; i = tree->node[i].next) n++;
	struct order *o = xcalloc(n + 1, sizeof *o);
	for (unsigned i = tree->node[at].child; i; i = tree->node[i].next) o[k++] = (struct order){ tree->node[i].bytes, i };
	qsort(o, n, sizeof *o, by_bytes);
	for (size_t i = 0; i < n && t->nrows < ROWS_MAX; i++) {
		const struct node *x = &tree->node[o[i].node];
		double whole = tree->node[0].bytes;
		if (x->bytes < least * whole) break;
		uint64_t mine = table_id(id, x->name);
		struct table_row *r = table_add(t, mine);
		r->depth = depth;
		r->cell[0].number = x->bytes;
		r->cell[1].number = r->cell[2].number = whole > 0 ? x->bytes / whole : 0;
		r->cell[3].number = x->self;
		r->cell[4].number = x->objects;
		r->cell[COLUMN_FUNCTION].text = table_text(t, x->name);
		put(t, tree, o[i].node, depth + 1, mine);
	}
	free(o);
}

static void make(struct table *t, const struct observation *o, int callers)
{
	struct tree tree = { xcalloc(1, sizeof *tree.node), 1 };

	for (size_t i = 0; i < o->snap->nsites; i++)
		if (o->snap->site[i].live_bytes > 0) add(&tree, &o->snap->site[i], o->symbols, callers);
	put(t, &tree, 0, 0, (uint64_t)callers + 2);
	if (!t->nrows) table_note(t, "nothing sampled yet");
	for (unsigned i = 1; i < tree.n; i++) free((char *)tree.node[i].name);
	free(tree.node);
}

static void fill_callees(struct table *t, const struct observation *o) { make(t, o, 0); }
static void fill_callers(struct table *t, const struct observation *o) { make(t, o, 1); }

extern const struct panel panel_sites, panel_callers;

const struct panel panel_callees = {
	.key = '1', .name = "Sites", .table = STATE_CALLEES, .shape = &shape_callees, .parts = PANEL_AGENT,
	.help = "The live heap as a call tree: from main down to who allocates.",
	.enter = "opens or closes a branch; so do left and right",
	.without = "Call sites need the agent: start the program with  alloctop run -- CMD,  or put it into this one with  alloctop attach PID",
	.fill = fill_callees, .other = &panel_callers,
};

const struct panel panel_callers = {
	.key = '1', .name = "Sites", .table = STATE_CALLERS, .shape = &shape_callers, .parts = PANEL_AGENT,
	.help = "The live heap as a tree of callers: from who allocates up to main.",
	.enter = "opens or closes a branch; so do left and right",
	.without = "Call sites need the agent: start the program with  alloctop run -- CMD,  or put it into this one with  alloctop attach PID",
	.fill = fill_callers, .other = &panel_sites,
};
