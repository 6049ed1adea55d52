/* header.c: the lines at the top, which never scroll: who it is, where its memory is, how that went, what its locks cost, what stands
 * out. A low screen gets fewer of them. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "inspect/model/history.h"
#include "inspect/model/table.h"
#include "inspect/model/units.h"
#include "inspect/target/proc.h"
#include "tui/panel.h"
#include "tui/surface.h"
#include "tui/view.h"

enum { HEAP_OLD_S = 5, LOW = 20, LOWER = 12, SPARK_MAX = 60, BAR_MIN = 12 };

/* The parts of RSS, in the order of the bar. Each has a glyph of its own besides its colour. */
static const struct { enum state_figure figure; const char *name; enum style style; uint32_t glyph; char ascii; } parts[] = {
	{ STATE_LIVE_RESIDENT, "live", STYLE_PART_1, 0x2588, '#' }, { STATE_ROUNDING, "rounding", STYLE_PART_2, 0x2593, '%' },
	{ STATE_CACHED, "caches", STYLE_PART_3, 0x2592, '+' }, { STATE_FREE, "free", STYLE_PART_4, 0x2591, '-' },
	{ STATE_METADATA, "metadata", STYLE_PART_5, 0x2502, '|' }, { STATE_OTHER, "not malloc", STYLE_PART_6, 0xb7, '.' },
};
enum { PARTS = sizeof parts / sizeof *parts };

static uint32_t glyph(const struct surface *s, int i) { return s->ascii ? (uint32_t)(unsigned char)parts[i].ascii : parts[i].glyph; }

static void bytes(double v, char buf[UNITS_MAX])
{
	if (isnan(v)) strcpy(buf, "-");
	else units_bytes(v, buf);
}

static void clock_text(double at, char *buf, size_t n)
{
	time_t when = (time_t)at;
	struct tm tm;

	if (!localtime_r(&when, &tm) || !strftime(buf, n, "%H:%M:%S", &tm)) snprintf(buf, n, "-");
}

/* On the right of the first line: which moment this is, and what is being done. */
static unsigned moment(const struct view *v, struct surface *s)
{
	const struct state *now = view_state(v);
	char clock[16] = "", mark[16], text[160];
	int n = 0;

	if (now) clock_text(now->at, clock, sizeof clock);
	if (v->mark) clock_text(v->mark->at, mark, sizeof mark), n += snprintf(text + n, sizeof text - (size_t)n, "Δ since %s  ", mark);
	if (v->stops && view_panel(v)->stops) n += snprintf(text + n, sizeof text - (size_t)n, "STOPS  ");
	if (v->record) n += snprintf(text + n, sizeof text - (size_t)n, "REC  ");
	if (v->recorded) n += snprintf(text + n, sizeof text - (size_t)n, v->playing ? "REPLAY  " : "REPLAY paused  ");
	else if (v->fixed) n += snprintf(text + n, sizeof text - (size_t)n, v->paused ? "PAUSED  " : "HISTORY  ");
	if (*v->gone) n += snprintf(text + n, sizeof text - (size_t)n, "ENDED  ");
	snprintf(text + n, sizeof text - (size_t)n, "%s", clock);
	unsigned w = surface_width(text), at = s->columns > w ? s->columns - w : 0;
	surface_put(s, 0, at, w, v->mark || v->fixed || v->record || v->stops || *v->gone ? STYLE_WARN : STYLE_DIM, text);
	return at;
}

/* One more piece of a line that ends at `end`, whole or not at all. */
static unsigned piece(struct surface *s, unsigned row, unsigned at, unsigned end, enum style style, const char *text)
{
	unsigned gap = at ? 2 : 0;

	return at + gap + surface_width(text) <= end ? surface_put(s, row, at + gap, s->columns, style, text) : at;
}

/* What matters least is last, and is left out first. */
static void who(const struct view *v, struct surface *s, const struct state *x)
{
	char up[UNITS_MAX], text[128];
	unsigned end = moment(v, s), room = end > 1 ? end - 1 : 0, at = surface_cut(s, 0, 0, room, STYLE_STRONG, x->text[STATE_PROGRAM]);

	proc_label(x->pid, x->figure[STATE_INNER_PID] > 0 ? (pid_t)x->figure[STATE_INNER_PID] : 0, text);
	at = piece(s, 0, at, room, STYLE_PLAIN, text);
	if (!*x->text[STATE_ALLOCATOR]) at = piece(s, 0, at, room, STYLE_DIM, "allocator: not read yet");
	else if (room > at + 8) at = surface_cut(s, 0, at + 2, room - at - 2, STYLE_PLAIN, x->text[STATE_ALLOCATOR]);
	snprintf(text, sizeof text, isnan(x->figure[STATE_THREADS]) ? "threads -" : "threads %.0f", x->figure[STATE_THREADS]);
	at = piece(s, 0, at, room, STYLE_PLAIN, text);
	snprintf(text, sizeof text, "up %s", units_seconds(x->figure[STATE_UPTIME], up));
	piece(s, 0, at, room, STYLE_PLAIN, text);
}

/* The bar's parts, which add up to what was resident when they were read. */
static double sum_of_parts(const struct state *x)
{
	double whole = 0;

	for (int i = 0; i < PARTS; i++)
		if (!isnan(x->figure[parts[i].figure])) whole += x->figure[parts[i].figure];
	return whole;
}

static void stacked(struct surface *s, unsigned row, unsigned at, unsigned width, const struct state *x)
{
	double whole = sum_of_parts(x), sum = 0;
	unsigned done = 0;

	for (int i = 0; i < PARTS && whole > 0; i++) {
		if (isnan(x->figure[parts[i].figure])) continue;
		sum += x->figure[parts[i].figure];
		unsigned to = (unsigned)(sum / whole * width + 0.5);
		surface_fill(s, row, at + done, to - done, parts[i].style, glyph(s, i));
		done = to;
	}
}

/* Are the parts of about the moment of RSS? Then their sum is shown: the kernel's quick figure lags by some hundred KiB. Where a heap fills fast
   it is a moment alone that tells how much there is, and live bytes would exceed an older sum. */
static int is_together(const struct state *x)
{
	double sum = sum_of_parts(x), rss = x->figure[STATE_RSS], off = fabs(sum - rss);

	return x->figure[STATE_HEAP_AGE] < HEAP_OLD_S && sum > 0 && !(off > (1 << 20) && off > 0.05 * rss);
}

static void rss(struct surface *s, unsigned row, const struct state *x)
{
	char a[UNITS_MAX], b[UNITS_MAX], beside[96] = "";
	unsigned at, w;
	int n = 0;

	int together = is_together(x);
	bytes(together ? sum_of_parts(x) : x->figure[STATE_RSS], a);
	at = surface_print(s, row, 0, STYLE_STRONG, "rss %s ", a);
	if (isnan(x->figure[STATE_LIVE_RESIDENT]) && isnan(x->figure[STATE_OTHER])) {
		surface_put(s, row, at, s->columns, STYLE_DIM, "where it is: not read yet");
		return;
	}
	if (!together && x->figure[STATE_HEAP_AGE] >= 0) n = snprintf(beside, sizeof beside, "  parts of %s ago", units_seconds(x->figure[STATE_HEAP_AGE], b));
	if (!isnan(x->figure[STATE_RETAINED])) bytes(x->figure[STATE_RETAINED], b), snprintf(beside + n, sizeof beside - (size_t)n, "  + %s kept, not resident", b);
	/* what leaves no room for the bar is left out from its end */
	if (at + strlen(beside) + BAR_MIN >= s->columns) beside[n] = 0;
	if (at + strlen(beside) + BAR_MIN >= s->columns) *beside = 0;
	w = (unsigned)strlen(beside);
	if (s->columns > at + w + BAR_MIN) stacked(s, row, at, s->columns - at - w, x);
	surface_put(s, row, s->columns > w ? s->columns - w : 0, w, STYLE_DIM, beside);
}

static void legend(struct surface *s, unsigned row, const struct state *x)
{
	char a[UNITS_MAX];
	unsigned at = 0;

	for (int i = 0; i < PARTS; i++) {
		if (isnan(x->figure[parts[i].figure])) continue;
		bytes(x->figure[parts[i].figure], a);
		surface_fill(s, row, at, 1, parts[i].style, glyph(s, i));
		at = surface_print(s, row, at + 1, STYLE_PLAIN, " %s %s", parts[i].name, a) + (s->columns > 90 ? 3 : 1);
	}
}

/* How fast it allocates. That no sample was seen says how little it is at most, not that it is nothing. */
static unsigned rate(struct surface *s, unsigned row, unsigned at, const struct state *x)
{
	char a[UNITS_MAX], b[UNITS_MAX], text[128], error[UNITS_MAX + 8] = "";
	const double *f = x->figure;
	double seconds = f[STATE_RATE_INTERVAL] > 0 ? f[STATE_RATE_INTERVAL] : f[STATE_AGENT_AGE];

	if (!strcmp(x->text[STATE_AGENT], "stopped")) return piece(s, row, at, s->columns, STYLE_WARN, "STOPPED");
	if (isnan(f[STATE_RATE])) return piece(s, row, at, s->columns, STYLE_DIM, "allocating: not known yet");
	if (f[STATE_RATE] <= 0 && f[STATE_SAMPLE_RATE] > 1 && seconds > 0) {
		snprintf(text, sizeof text, "allocating < %s/s", units_bytes(f[STATE_SAMPLE_RATE] / seconds, a));
		return piece(s, row, at, s->columns, STYLE_PLAIN, text);
	}
	if (f[STATE_RATE_ERROR] > 0) snprintf(error, sizeof error, " ± %s", units_bytes(f[STATE_RATE_ERROR], b));
	const char *average = f[STATE_RATE_INTERVAL] > 0 ? "" : " on average";
	unsigned begin = at;
	units_bytes(f[STATE_RATE], a);
	snprintf(text, sizeof text, "allocating %s/s%s%s", a, error, average);
	at = piece(s, row, begin, s->columns, STYLE_PLAIN, text);
	if (at == begin) {
		snprintf(text, sizeof text, "alloc %s/s%s%s", a, error, average);
		return piece(s, row, begin, s->columns, STYLE_PLAIN, text);
	}
	snprintf(text, sizeof text, "%s objects/s", units_count(f[STATE_RATE_OBJECTS], a));
	return piece(s, row, at, s->columns, STYLE_PLAIN, text);
}

static void agent(const struct view *v, struct surface *s, unsigned row, const struct state *x)
{
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], text[128];
	const double *f = x->figure;
	unsigned at = 0;

	if (isnan(f[STATE_SAMPLED])) {
		bytes(f[STATE_LIVE], a);
		if (isnan(f[STATE_OBJECTS])) snprintf(text, sizeof text, "live %s", a);
		else snprintf(text, sizeof text, "live %s in %s objects", a, units_count(f[STATE_OBJECTS], b));
		if (!isnan(f[STATE_LIVE])) at = piece(s, row, at, s->columns, STYLE_PLAIN, text);
		at = piece(s, row, at, s->columns, STYLE_DIM, "no agent");
		piece(s, row, at, s->columns, STYLE_DIM, view_attaches(v) ? "who allocates: the key a, or alloctop run" : "who allocates: alloctop run, or attach");
		return;
	}
	bytes(f[STATE_SAMPLED], a);
	snprintf(text, sizeof text, "live %s ± %s in %s objects", a, units_bytes(f[STATE_SAMPLED_ERROR], b), units_count(f[STATE_SAMPLED_OBJECTS], c));
	at = piece(s, row, at, s->columns, STYLE_PLAIN, text);
	/* what was there before is not in these figures: before all that there may be no room for */
	snprintf(text, sizeof text, "attached %s ago", units_seconds(f[STATE_AGENT_AGE], a));
	if (f[STATE_ATTACHED] > 0) at = piece(s, row, at, s->columns, STYLE_WARN, text);
	at = rate(s, row, at, x);
	snprintf(text, sizeof text, "one sample per %s", units_setting(f[STATE_SAMPLE_RATE] >= 1 ? (uint64_t)f[STATE_SAMPLE_RATE] : 1, a));
	at = piece(s, row, at, s->columns, STYLE_DIM, text);
	snprintf(text, sizeof text, "agent since %s", units_seconds(f[STATE_AGENT_AGE], a));
	if (!(f[STATE_ATTACHED] > 0)) piece(s, row, at, s->columns, STYLE_DIM, text);
}

static void sparks(const struct view *v, struct surface *s, unsigned row)
{
	static const struct { const char *name; enum state_figure figure; int from_zero; } line[] = {
		{ "rss", STATE_RSS, 0 }, { "live", STATE_LIVE, 0 }, { "alloc/s", STATE_RATE, 1 }, { "locks", STATE_LOCK_COST, 1 },
	};
	double value[SPARK_MAX];
	unsigned each = s->columns / 4, back = 0;
	const struct state *x = view_state(v);
	size_t count = history_count(v->history);

	if (v->fixed && x)
		while (back < count && history_at(v->history, count - 1 - back) > x->at) back++;
	for (unsigned i = 0; i < 4; i++) {
		unsigned at = surface_put(s, row, i * each, each, STYLE_DIM, line[i].name) + 1, width = (i + 1) * each - 1 > at ? (i + 1) * each - 1 - at : 0;
		if (width > SPARK_MAX) width = SPARK_MAX;
		size_t n = history_figures(v->history, line[i].figure, back, value, width), known = 0;
		for (size_t k = 0; k < n; k++) known += !isnan(value[k]);
		if (known) surface_spark(s, row, at, width, STYLE_BAR, value, n, line[i].from_zero);
		else surface_put(s, row, at, width, STYLE_DIM, "-");
	}
}

/* A sentence that is too long ends with one of its parts, if that is not too little of it. */
static size_t whole_parts(const char *text, unsigned room)
{
	size_t best = 0;

	for (size_t i = 1; text[i] && i + 2 <= room; i++)
		if (text[i + 1] == ' ' ? strchr(",;:", text[i]) != NULL : text[i] == ' ' && text[i + 1] == '(') best = i;
	return best > room / 2 ? best : 0;
}

/* What stands in brackets at its end stays: where there is more of it. */
static void sentence(struct surface *s, unsigned row, unsigned at, enum style style, const char *text)
{
	unsigned room = s->columns > at ? s->columns - at : 0;
	const char *end = strrchr(text, '(');
	unsigned tail = end && end > text && strchr(end, ')') && !strchr(end, ')')[1] ? surface_width(end) + 1 : 0;
	char cut[600];

	if (surface_width(text) <= room) {
		surface_put(s, row, at, room, style, text);
		return;
	}
	if (tail > room / 2) tail = 0;
	snprintf(cut, sizeof cut, "%.*s", tail ? (int)(end - text) - 1 : (int)sizeof cut - 1, text);
	size_t n = whole_parts(cut, room - tail);
	if (n) strcpy(cut + n, "..");
	at = surface_cut(s, row, at, room - tail, style, cut);
	if (tail) surface_put(s, row, at + 1, tail, style, end);
}

static void words(struct surface *s, unsigned row, const char *name, const char *text, enum style style)
{
	sentence(s, row, surface_put(s, row, 0, s->columns, STYLE_DIM, name) + 1, style, text);
}

static unsigned list(const struct view *v, struct surface *s, const struct state *x)
{
	const struct table *t = x->table[STATE_PROCESSES];
	unsigned end = moment(v, s), at = surface_put(s, 0, 0, end, STYLE_STRONG, "alloctop");

	surface_print(s, 0, at, STYLE_PLAIN, "  %zu processes%s", t ? t->nrows : 0, view_panel(v)->table == STATE_GROUPS ? ", by container" : "");
	if (s->rows < LOWER) return 1;
	if (t && *t->note) sentence(s, 1, 0, STYLE_DIM, t->note);
	return 2;
}

unsigned header_draw(const struct view *v, struct surface *s)
{
	const struct state *x = view_state(v);
	unsigned row = 1;

	if (!x) {
		surface_put(s, 0, 0, s->columns, STYLE_DIM, *v->gone ? v->gone : "reading…");
		return 1;
	}
	if (v->panels == panels_list) return list(v, s, x);
	who(v, s, x);
	if (s->rows < LOWER) return row;
	rss(s, row++, x);
	if (s->rows >= LOW) legend(s, row++, x);
	agent(v, s, row++, x);
	if (s->rows >= LOW) sparks(v, s, row++);
	if (s->rows >= LOW && *x->text[STATE_NOTES]) words(s, row++, "agent  ", x->text[STATE_NOTES], STYLE_WARN);
	if (*v->gone) words(s, row++, "ended  ", v->gone, STYLE_WARN);
	words(s, row++, "locks  ", *x->text[STATE_LOCKS] ? x->text[STATE_LOCKS] : "not watched yet", x->figure[STATE_LOCK_COST] > 0.1 ? STYLE_WARN : STYLE_PLAIN);
	words(s, row++, "verdict", *x->text[STATE_VERDICT] ? x->text[STATE_VERDICT] : *v->gone ? "the heap was not read" : "reading the heap", STYLE_STRONG);
	return row;
}
