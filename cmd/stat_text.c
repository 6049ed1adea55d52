/* stat_text.c: the figures of alloctop stat for people: laid out as perf stat does it, in 80 columns. */
#include "cmd/stat.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/plain.h"
#include "inspect/perf/code.h"
#include "inspect/perf/cost.h"
#include "inspect/target/proc.h"

enum { NUMBER = 32, LINE = 1024 };

/* "1,234,567" */
static char *thousands(double v, int decimals, char buf[NUMBER])
{
	char plain[NUMBER], *to = buf;
	size_t whole;

	snprintf(plain, sizeof plain, "%.*f", decimals, v < 1e15 ? v : 1e15);
	whole = strcspn(plain, ".");
	for (size_t i = 0; plain[i] && to < buf + NUMBER - 2; i++) {
		if (i && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-') *to++ = ',';
		*to++ = plain[i];
	}
	*to = 0;
	return buf;
}

/* Of a clock milliseconds, of others the events. */
static char *amount(const struct event *ev, double v, char buf[NUMBER])
{
	if (v < 0) return strcpy(buf, "-");
	if (!event_is_clock(ev)) return thousands(v, 0, buf);
	thousands(v * 1e-6, 2, buf);
	return strcat(buf, " ms");
}

static char *per_call(const struct event *ev, double v, char buf[NUMBER])
{
	snprintf(buf, NUMBER, v >= 100 ? "%.0f%s" : "%.3g%s", v, event_is_clock(ev) ? " ns" : "");
	return buf;
}

static void event(FILE *f, const struct stat_reading *r, size_t i)
{
	const struct cost *c = r->cost;
	const struct event *ev = &c->event[i];
	double error, share = cost_share(c, i, &error), inside = cost_inside(c, i);
	char total[NUMBER], part[NUMBER], percent[NUMBER] = "-", call[NUMBER] = "", line[LINE];

	if (ev->refused) {
		fprintf(f, "%18s  %17s  %-14s  %s\n", "<not supported>", "", "", ev->name);
		return;
	}
	if (share >= 0) snprintf(percent, sizeof percent, "%5.1f%% ±%.1f", 100 * share, 100 * error);
	if (inside >= 0 && r->allocations > 0) per_call(ev, inside / r->allocations, call);
	snprintf(line, sizeof line, "%18s  %17s  %s%*s  %-16s %s", amount(ev, ev->count, total), amount(ev, inside, part), percent, (int)(14 - plain_width(percent)), "", ev->name, call);
	for (size_t n = strlen(line); n && line[n - 1] == ' ';) line[--n] = 0;
	fprintf(f, "%s\n", line);
}

static void rows(FILE *f, const struct cost *c, const char *title, const struct cost_rows *r, size_t e, unsigned columns, unsigned limit)
{
	double all = c->sum[e].weight;

	fprintf(f, "\n %s\n", title);
	for (size_t i = 0; i < r->n && (!limit || i < limit); i++) {
		const struct cost_row *row = &r->row[i];
		char line[LINE], kernel[NUMBER] = "";
		if (!(row->weight[e] > 0)) break;
		if (row->kernel[e] > 0) snprintf(kernel, sizeof kernel, "%5.1f%%", 100 * row->kernel[e] / all);
		snprintf(line, sizeof line, "  %5.1f%%  %7s  %s%s%s", 100 * row->weight[e] / all, kernel, row->function, *row->caller ? " < " : "", row->caller);
		fprintf(f, "%s\n", plain_cut(line, columns));
	}
	if (limit && r->n > limit && r->row[limit].weight[e] > 0) fprintf(f, "           and %zu more\n", r->n - limit);
}

/* Words, wrapped. */
static void wrap(FILE *f, const char *words, unsigned columns)
{
	for (int first = 1; *words; first = 0) {
		size_t len = strlen(words), cut = len, room = columns - 3;
		if (len > room) for (cut = room; cut > 20 && words[cut] != ' '; cut--);
		fprintf(f, " %s%.*s\n", first ? "" : "  ", (int)cut, words);
		for (words += cut; *words == ' '; words++);
	}
}

static void head(FILE *f, const struct stat_reading *r)
{
	const struct cost *c = r->cost;
	unsigned threads = c->threads_max > c->threads ? c->threads_max : c->threads;
	char label[PROC_LABEL];

	fprintf(f, "\n %s, %s: %u thread%s, %.2f s\n\n", c->program, proc_label(c->pid, c->inner_pid, label), threads, threads == 1 ? "" : "s", c->period_s);
	fprintf(f, "%18s  %17s  %-14s  %-16s %s\n", "total", "in the allocator", "share", "event", r->allocations > 0 ? "per allocation" : "");
}

void stat_text(FILE *f, const struct stat_reading *r, unsigned columns, unsigned limit)
{
	const struct cost *c = r->cost;
	char notice[STAT_NOTICES][STAT_NOTICE], title[128], number[NUMBER];
	int e = cost_main_event(c);
	double error;

	head(f, r);
	for (size_t i = 0; i < c->nevents; i++)
		if (!c->event[i].refused || c->o.events) event(f, r, i);
	if (e >= 0 && cost_share(c, (size_t)e, &error) > 0) {
		struct cost_rows functions, callers;
		cost_functions(c, (size_t)e, &functions);
		cost_callers(c, (size_t)e, &callers);
		snprintf(title, sizeof title, "share    kernel  in the allocator, of %s", c->event[e].name);
		rows(f, c, title, &functions, (size_t)e, columns, limit);
		rows(f, c, "share    kernel  called from", &callers, (size_t)e, columns, limit);
		cost_rows_free(&functions);
		cost_rows_free(&callers);
	}
	fputc('\n', f);
	if (r->allocations >= 0) fprintf(f, " %s allocations, counted by the agent\n", thousands(r->allocations, 0, number));
	if (r->user_s >= 0) fprintf(f, " %.3f s elapsed, %.3f s user, %.3f s system\n", c->period_s, r->user_s, r->system_s);
	size_t n = stat_notices(r, notice);
	for (size_t i = 0; i < n; i++) wrap(f, notice[i], columns);
}
