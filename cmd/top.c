/* top.c: alloctop top: a process's live heap by call site, as plain text screens. */
#include "cmd/cmd.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/screen.h"
#include "cmd/source.h"
#include "inspect/client/agent.h"
#include "inspect/model/columns.h"
#include "inspect/model/plain.h"
#include "inspect/model/sites.h"
#include "inspect/model/units.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/err.h"
#include "inspect/target/proc.h"

enum { LINE_MAX_BYTES = 4096 };

struct top_options { int batch; unsigned count; double delay; };

/* A snapshot and when it was taken. */
struct moment { struct snapshot snap; double at; int taken; };

/* The symbols of the modules that were there when they were opened. */
struct symbols { struct symbolizer *symbolizer; uint64_t sum; };

static double clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* What is left of the screen. */
struct area { unsigned rows, width; };

/* One line, cut to the screen. */
static void line(struct area *a, const char *text)
{
	char buf[LINE_MAX_BYTES];

	if (!a->rows) return;
	a->rows--;
	snprintf(buf, sizeof buf, "%s", text);
	/* erases what stood there: the screen is redrawn in place */
	printf("%s%s\n", plain_cut(plain_text(buf), a->width), isatty(STDOUT_FILENO) ? "\033[K" : "");
}

static void draw_head(const struct source *src, const struct proc *p, const struct snapshot *s, const struct sites *sites,
                      struct area *area)
{
	char text[LINE_MAX_BYTES], a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX], d[UNITS_MAX], losses[512];

	snprintf(text, sizeof text, "%s  pid %d  up %s  agent since %s  one sample per %s%s", src->program, (int)src->pid,
	         units_seconds(p->uptime_s, a), units_seconds(s->age_s, b), units_setting(s->rate, c), s->running ? "" : "  STOPPED");
	line(area, text);
	snprintf(text, sizeof text, "rss %s  live %s ± %s in %s objects  threads %u", units_bytes((double)p->rss_bytes, a),
	         units_bytes(s->live_bytes, b), units_bytes(sqrt(s->live_variance), c), units_count(s->live_objects, d), p->threads);
	line(area, text);
	if (sites->bytes_per_s < 0) snprintf(text, sizeof text, "allocating: known at the next screen");
	else snprintf(text, sizeof text, "allocating %s/s in %s objects/s, %s", units_bytes(sites->bytes_per_s, a),
	              units_count(sites->objects_per_s, b), sites->interval_s > 0 ? "now" : "on average since the agent began");
	line(area, text);
	source_losses(s, losses, sizeof losses);
	if (losses[0]) {
		snprintf(text, sizeof text, "not whole: %s", losses);
		line(area, text);
	}
	if (s->notices[0]) {
		snprintf(text, sizeof text, "settings: %.*s", (int)strcspn(s->notices, "\n"), s->notices);
		line(area, text);
	}
}

static void draw(const struct source *src, const struct proc *p, const struct moment *now, const struct moment *before,
                 struct symbolizer *symbols)
{
	struct sites sites;
	char buf[LINE_MAX_BYTES];
	struct area area;

	screen_size(&area.rows, &area.width);
	area.rows -= area.rows > 1;     /* the last line's newline would scroll */
	sites_make(&sites, &now->snap, before->taken ? &before->snap : NULL, now->at - before->at, symbols);
	screen_clear();
	draw_head(src, p, &now->snap, &sites, &area);
	line(&area, "");
	columns_line(buf, sizeof buf, area.width, NULL, &sites);
	line(&area, buf);
	for (size_t i = 0; i < sites.n && area.rows; i++) {
		columns_line(buf, sizeof buf, area.width, &sites.row[i], &sites);
		line(&area, buf);
	}
	if (!sites.n) line(&area, "  nothing sampled yet");
	screen_flip();
	sites_free(&sites);
}

static void forget(struct moment *m)
{
	if (m->taken) snapshot_free(&m->snap);
	m->taken = 0;
}

/* Objects come and go with dlopen. Reading their symbols is dear: only when they did. */
static int refresh(struct symbols *y, const struct source *src, const struct snapshot *s, struct err *e)
{
	uint64_t sum = s->nmodules;

	for (size_t i = 0; i < s->nmodules; i++) sum = sum * 31 + s->module[i].start * 7 + s->module[i].end;
	if (y->symbolizer && y->sum == sum) return 0;
	symbol_close(y->symbolizer);
	y->sum = sum;
	y->symbolizer = source_symbols(src, s, 0, e);
	return y->symbolizer ? 0 : -1;
}

/* One screen: `now` becomes `before`, a new moment becomes `now`. */
static int step(struct source *src, struct moment *now, struct moment *before, struct symbols *y, struct err *e)
{
	struct proc p;

	if (proc_read(&p, src->pid, e) || p.state == 'Z')
		return err_set(e, ERR_GONE, "top: %s, pid %d, has ended", src->program, (int)src->pid);
	forget(before);
	*before = *now;
	*now = (struct moment){ .at = clock_now() };
	if (source_snapshot(src, &now->snap, e)) return -1;
	now->taken = 1;
	if (refresh(y, src, &now->snap, e)) return -1;
	draw(src, &p, now, before, y->symbolizer);
	return 0;
}

static int run(void *options, int argc, char **argv, struct err *e)
{
	const struct top_options *o = options;
	struct moment now = { 0 }, before = { 0 };
	struct symbols symbols = { 0 };
	struct source src;
	enum screen_event event = SCREEN_TIME;
	int status, screen = !o->batch && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);

	if (argc != 1) return err_set(e, ERR_USAGE, "top: %s (see: alloctop top --help)", argc ? "one process at a time" : "which process?");
	if (o->delay < 0.05) return err_set(e, ERR_USAGE, "top: --delay must be at least 50ms");
	if ((status = source_open(&src, argv[0], NULL, e))) {
		source_close(&src);
		return status;
	}
	if (screen) screen_begin();
	for (unsigned i = 0; !status; i++) {
		if (i && !screen) putchar('\n');
		status = step(&src, &now, &before, &symbols, e);
		if (status || i + 1 == o->count) break;
		event = screen_wait(o->delay);
		if (event == SCREEN_QUIT) break;
	}
	screen_end();
	symbol_close(symbols.symbolizer);
	forget(&now);
	forget(&before);
	source_close(&src);
	return status;
}

static const struct option_row options[] = {
	{ 'b', "batch", OPTION_FLAG, offsetof(struct top_options, batch), NULL, "one screen after the other, no keys", NULL },
	{ 'n', "count", OPTION_COUNT, offsetof(struct top_options, count), "COUNT", "end after so many screens; 0: never", NULL },
	{ 'd', "delay", OPTION_SECONDS, offsetof(struct top_options, delay), "TIME", "between two screens", NULL },
	{ 0 },
};

static const struct top_options defaults = { .delay = 2 };

const struct cmd cmd_top = {
	.name = "top",
	.summary = "Show the live heap of a process by call site",
	.arguments = "PID|NAME",
	.options = options,
	.options_size = sizeof(struct top_options),
	.defaults = &defaults,
	.run = run,
};
