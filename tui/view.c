/* view.c: see view.h: what is shown: the newest state, an older one, a difference; what is kept of it, and recorded. view_keys.c has the keys,
 * view_draw.c the drawing. */
#include "tui/view.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/events.h"
#include "inspect/model/history.h"
#include "inspect/model/plain.h"
#include "inspect/model/table.h"
#include "inspect/target/err.h"
#include "tui/act.h"
#include "tui/panel.h"

enum { LOG_MAX = 500 };

void view_say(struct view *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->message, sizeof v->message, fmt, ap);
	va_end(ap);
	plain_text(v->message);
}

unsigned view_count(const struct view *v)
{
	unsigned n = 0;

	while (v->panels[n] && n < VIEW_PANELS) n++;
	return n;
}

void view_init(struct view *v, const struct panel *const *panels, struct history *history)
{
	*v = (struct view){ .panels = panels, .history = history };
	for (unsigned i = 0; i < view_count(v); i++) {
		v->shown_as[i] = panels[i];
		grid_init(&v->grid[i], panels[i]->shape);
		if (panels[i]->table == STATE_TABLES) v->log = table_new(panels[i]->shape);
	}
}

static int stop_recording(struct view *v)
{
	int bad = v->record && fclose(v->record);

	if (bad) view_say(v, "writing %s: %s", v->record_path, strerror(errno));
	v->record = NULL;
	return bad;
}

void view_close(struct view *v)
{
	stop_recording(v);
	for (unsigned i = 0; i < view_count(v); i++) grid_close(&v->grid[i]);
	state_leave(v->now);
	state_leave(v->fixed);
	state_leave(v->mark);
	table_leave(v->log);
	table_leave(v->drawn);
	history_free(v->history);
	free(v->detail);
	free(v->question);
	free(v->question_text);
	*v = (struct view){ 0 };
}

const struct state *view_state(const struct view *v) { return v->fixed ? v->fixed : v->now; }
const struct panel *view_panel(const struct view *v) { return v->shown_as[v->current]; }

int view_attaches(const struct view *v) { return v->attacher && !v->recorded && !*v->gone; }

unsigned view_wants(const struct view *v)
{
	const struct panel *p = view_panel(v);
	unsigned all = v->record ? 1u << STATE_SITES | 1u << STATE_CALLEES | 1u << STATE_CALLERS : 0;

	return all | (p->table < STATE_TABLES ? 1u << p->table : 0);
}

static void log_event(void *arg, const char *text)
{
	struct view *v = arg;
	struct table *new;

	if (!v->log) return;
	/* the oldest half goes when it is full */
	if (v->log->nrows >= LOG_MAX) {
		new = table_new(v->log->shape);
		for (size_t i = v->log->nrows / 2; i < v->log->nrows; i++) {
			struct table_row *r = table_add(new, v->log->row[i].id);
			r->cell[0] = v->log->row[i].cell[0];
			r->cell[1].text = table_text(new, v->log->row[i].cell[1].text);
		}
		table_leave(v->log);
		v->log = new;
	}
	struct table_row *r = table_add(v->log, v->log->nrows ? v->log->row[v->log->nrows - 1].id + 1 : 1);
	r->cell[0].number = v->now ? v->now->at : NAN;
	r->cell[1].text = table_text(v->log, text);
}

static void record(struct view *v, const struct state *s)
{
	struct err e = { 0 };

	if (!v->record || !history_write(v->record, s, &e)) return;
	fclose(v->record);
	v->record = NULL;
	view_say(v, "%s: the recording has ended", e.text);
}

void view_take(struct view *v, struct state *s)
{
	struct state *before = v->now;

	if (*s->text[STATE_GONE]) {
		snprintf(v->gone, sizeof v->gone, "%s; this is the last that was seen of it", s->text[STATE_GONE]);
		if (v->now) log_event(v, s->text[STATE_GONE]);
		state_leave(s);
		return;
	}
	v->now = s;
	history_add(v->history, s);
	record(v, s);
	if (before && v->panels != panels_list) events_between(before, s, log_event, v);
	state_leave(before);
}

static void fix(struct view *v, struct state *s, int paused)
{
	state_leave(v->fixed);
	v->fixed = s;
	v->paused = paused;
}

void view_show(struct view *v, size_t index)
{
	struct state *s = history_get(v->history, index);

	if (!s) return;
	if (v->now && v->recorded && s->at > v->now->at) events_between(v->now, s, log_event, v);
	state_leave(v->now);
	v->now = s;
}

/* The moment of the history that is shown: the last one not after it. */
static size_t index_of(const struct view *v)
{
	const struct state *s = view_state(v);
	size_t i = history_count(v->history);

	while (i > 0 && (!s || history_at(v->history, i - 1) > s->at)) i--;
	return i ? i - 1 : 0;
}

int view_step(struct view *v, int forth)
{
	size_t n = history_count(v->history), i = index_of(v), to = forth ? i + 1 : i - 1;

	if (!n || (forth ? i + 1 >= n : !i)) {
		if (forth && !v->recorded) fix(v, NULL, 0);
		return 0;
	}
	if (v->recorded) {
		view_show(v, to);
		return 1;
	}
	struct state *s = history_get(v->history, to);
	if (s) fix(v, s, 0);
	return s != NULL;
}

void view_go_on(struct view *v) { fix(v, NULL, 0); }

void view_pause(struct view *v)
{
	if (v->recorded) {
		v->playing = !v->playing;
		/* at the end it begins again */
		if (v->playing && index_of(v) + 1 >= history_count(v->history)) view_show(v, 0);
	} else if (v->fixed) {
		fix(v, NULL, 0);
	} else if (v->now) {
		fix(v, state_use(v->now), 1);
	}
}

void view_set_mark(struct view *v, int set)
{
	state_leave(v->mark);
	v->mark = set && view_state(v) ? state_use((struct state *)view_state(v)) : NULL;
	if (v->mark) view_say(v, "marked: figures are differences from now on (M ends that)");
}

void view_toggle_record(struct view *v)
{
	struct err e = { 0 };

	if (v->record) {
		if (!stop_recording(v)) view_say(v, "recorded: alloctop replay %s", v->record_path);
		return;
	}
	if (!v->now) return;
	v->record = act_file(v->now->text[STATE_PROGRAM], v->now->pid, "alloctop", v->record_path, sizeof v->record_path);
	if (!v->record) {
		view_say(v, "creating %s here: %s", v->record_path, strerror(errno));
		return;
	}
	view_say(v, "recording to %s (r ends it)", v->record_path);
	if (history_write_head(v->record, &e) || history_write(v->record, v->now, &e)) {
		stop_recording(v);
		view_say(v, "%s", e.text);
	}
}
