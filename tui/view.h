/* view.h: the screen without the terminal: takes states and keys, draws on a surface. One view is one process, all of them, or a
 * recording. loop.c gives it a terminal; tests give it a script. */
#ifndef ALLOCTOP_VIEW_H
#define ALLOCTOP_VIEW_H

#include <stdio.h>
#include <sys/types.h>
#include "inspect/model/state.h"
#include "tui/grid.h"

struct act;
struct attacher;
struct history;
struct key;
struct panel;
struct surface;

enum { VIEW_PANELS = 12, VIEW_WORDS = 600 };
enum view_mode { VIEW_TABLE, VIEW_DETAIL, VIEW_HELP, VIEW_SORT, VIEW_SEARCH, VIEW_FILTER, VIEW_CONFIRM };
enum view_answer { VIEW_STAY, VIEW_LEAVE, VIEW_OPEN /* view->open */ };

struct view {
	const struct panel *const *panels;
	const struct panel *shown_as[VIEW_PANELS];      /* of each tab, which of its panels */
	struct grid grid[VIEW_PANELS];
	unsigned current;
	enum view_mode mode;
	struct history *history;
	struct state *now, *fixed, *mark;       /* the newest; the one that is shown instead; what differences are against */
	struct table *log;
	int paused;             /* fixed is the moment of the pause; else it was walked to */
	int recorded;           /* shows a recording: `now` does not change by itself */
	int playing;            /* a recording, moment after moment */
	char gone[VIEW_WORDS];  /* why there will be nothing new */
	FILE *record; char record_path[VIEW_WORDS];
	struct act *act;        /* NULL: nothing can be written from here */
	struct attacher *attacher;      /* NULL: nothing can be attached from here */
	char *question, *question_text; /* of the attacher, to be answered; NULL: none */
	char message[VIEW_WORDS];       /* until the next key */
	char entry[GRID_WORD];          /* a word being typed */
	unsigned sort_at;
	char *detail; size_t detail_top, detail_lines, detail_rows;       /* what is scrolled: a detail, or a question */
	unsigned help_top;
	pid_t open;
	int stops;              /* the user has agreed to the panel's `stops` */
	int nested;             /* behind it is the list of processes */
	struct { unsigned from, to; } tab[VIEW_PANELS]; unsigned tab_row;       /* as drawn, for the mouse */
	struct table *drawn;            /* what the keys are about */
	unsigned body_rows;
};

/* The panels (panels.c); history is the view's from then on. */
void view_init(struct view *v, const struct panel *const *panels, struct history *history);
void view_close(struct view *v);
/* A new state; the view becomes its user. */
void view_take(struct view *v, struct state *s);
/* A recording: shows the moment at `index`. */
void view_show(struct view *v, size_t index);
/* One moment back or forth. Whether there was one. */
int view_step(struct view *v, int forth);
enum view_answer view_key(struct view *v, const struct key *k);
void view_draw(struct view *v, struct surface *s);
/* What the attacher asks, before it does it. */
void view_ask(struct view *v, const char *title, const char *text);
/* What came of it; what is too long for the lowest line gets a page. */
void view_tell(struct view *v, const char *text);
/* Which tables it looks at: see feed.h. */
/* Whether the key a puts the agent in. */
int view_attaches(const struct view *v);
unsigned view_wants(const struct view *v);
const struct state *view_state(const struct view *v);
const struct panel *view_panel(const struct view *v);
void view_say(struct view *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* What the keys of view_keys.c do to what is shown, each with what is to be said of it. */
void view_pause(struct view *v);        /* or goes on; plays a recording, or stops it */
void view_go_on(struct view *v);        /* to the newest */
void view_set_mark(struct view *v, int set);
void view_toggle_record(struct view *v);
unsigned view_count(const struct view *v);      /* of panels */

/* The parts of a drawing, each in a file of its own: header.c, help.c. The row behind it. */
unsigned header_draw(const struct view *v, struct surface *s);
void help_draw(struct view *v, struct surface *s, unsigned row, unsigned rows);

#endif
