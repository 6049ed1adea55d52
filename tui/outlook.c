/* outlook.c: see outlook.h. A sentence is said only with the figure that carries it, and says which panel has the rest. */
#include "tui/outlook.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/lock/lock.h"
#include "inspect/model/heap.h"
#include "inspect/model/sites.h"
#include "inspect/model/snapshot.h"
#include "inspect/model/state.h"
#include "inspect/model/units.h"
#include "tui/judge.h"

static double figure(uint64_t v) { return v == HEAP_UNKNOWN ? NAN : (double)v; }

static void sum(double *to, double v)
{
	if (!isnan(v)) *to = isnan(*to) ? v : *to + v;
}

/* Which part of the bar a row of the ledger belongs to. */
static enum state_figure part_of(const char *row)
{
	static const struct { const char *begins; enum state_figure part; } part[] = {
		{ "live, rounding", STATE_ROUNDING }, { "live", STATE_LIVE_RESIDENT }, { "cached", STATE_CACHED }, { "free", STATE_FREE }, { "metadata", STATE_METADATA },
	};
	const char *what = strstr(row, ": ");

	for (size_t i = 0; what && i < sizeof part / sizeof *part; i++)
		if (!strncmp(what + 2, part[i].begins, strlen(part[i].begins))) return part[i].part;
	return STATE_OTHER;
}

static void allocators(struct state *s, const struct heap *h)
{
	char buf[256] = "none that is known";
	size_t at = 0;

	for (size_t i = 0; i < h->nallocators && at < sizeof buf; i++) {
		const struct heap_allocator *a = &h->allocator[i];
		if (!a->in_use && (i || h->nallocators > 1)) continue;
		at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%s%s%s%s", at ? " + " : "", a->name, *a->version ? " " : "", a->version,
		                       a->status == HEAP_UNSUPPORTED ? " (not readable)" : "");
	}
	state_say(s, STATE_ALLOCATOR, "%s", buf);
}

void outlook_heap(struct state *s, const struct heap *h)
{
	for (size_t i = 0; i < h->nallocators; i++) {
		const struct heap_allocator *a = &h->allocator[i];
		if (!a->in_use) continue;
		sum(&s->figure[STATE_LIVE], figure(a->live_bytes));
		sum(&s->figure[STATE_OBJECTS], figure(a->live_objects));
		sum(&s->figure[STATE_ARENAS], (double)a->narenas);
	}
	for (size_t i = 0; i < h->ledger.nrows; i++) sum(&s->figure[part_of(h->ledger.row[i].name)], (double)h->ledger.row[i].bytes);
	s->figure[STATE_RETAINED] = (double)h->ledger.retained;
	s->figure[STATE_SWAPPED] = (double)h->ledger.swapped;
	allocators(s, h);
}

void outlook_agent(struct state *s, const struct snapshot *snap, const struct sites *sites)
{
	char buf[512] = "";
	size_t at = 0;
	double lost = 0;
	const char *text;

	s->figure[STATE_SAMPLED] = snap->live_bytes;
	s->figure[STATE_SAMPLED_ERROR] = sqrt(snap->live_variance);
	s->figure[STATE_SAMPLED_OBJECTS] = snap->live_objects;
	s->figure[STATE_AGENT_AGE] = snap->age_s;
	s->figure[STATE_ATTACHED] = (snap->flags & WIRE_ATTACHED) != 0;
	s->figure[STATE_SAMPLE_RATE] = (double)snap->rate;
	if (sites->bytes_per_s >= 0) {
		s->figure[STATE_RATE] = sites->bytes_per_s;
		s->figure[STATE_RATE_ERROR] = sites->rate_error;
		s->figure[STATE_RATE_OBJECTS] = sites->objects_per_s;
		s->figure[STATE_RATE_INTERVAL] = sites->interval_s;
	}
	for (unsigned i = 0; i < WIRE_LOSSES && (text = snapshot_loss_text(i)); i++) {
		lost += (double)snap->loss[i];
		if (snap->loss[i] && at < sizeof buf) at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%" PRIu64 " %s", at ? ", " : "not whole: ", snap->loss[i], text);
	}
	if (snap->torn && at < sizeof buf) at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%" PRIu64 " records changed while they were read", at ? ", " : "not whole: ", snap->torn);
	if (snap->bad && at < sizeof buf) at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%" PRIu64 " records that made no sense", at ? ", " : "not whole: ", snap->bad);
	if (snap->notices[0] && at < sizeof buf) snprintf(buf + at, sizeof buf - at, "%ssettings: %.*s", at ? "; " : "", (int)strcspn(snap->notices, "\n"), snap->notices);
	s->figure[STATE_LOST] = lost;
	state_say(s, STATE_NOTES, "%s", buf);
	state_say(s, STATE_AGENT, "%s", snap->running ? "active" : "stopped");
}

/* "0.42 s" of waiting. */
static char *seconds(double v, char buf[UNITS_MAX])
{
	return v >= 0.9995 && v < 100 ? (snprintf(buf, UNITS_MAX, "%.2fs", v), buf) : units_seconds(v, buf);
}

void outlook_locks(struct state *s, const struct lock_report *l)
{
	char a[UNITS_MAX], b[UNITS_MAX];
	const struct lock_row *worst = NULL;

	for (size_t i = 0; i < l->nrows && !worst; i++)
		if (*l->row[i].allocator) worst = &l->row[i];
	if (l->allocator_lost >= 0) s->figure[STATE_LOCK_COST] = l->allocator_lost;
	if (l->allocator_error >= 0) s->figure[STATE_LOCK_ERROR] = l->allocator_error;
	if (l->all_lost >= 0) s->figure[STATE_ALL_LOCKS] = l->all_lost;
	if (isnan(s->figure[STATE_LOCK_COST])) {
		state_say(s, STATE_LOCKS, "not known: no source could tell (panel 4 says why)");
		return;
	}
	if (l->allocator_lost < 0.0005) {
		state_say(s, STATE_LOCKS, "no thread waits for the allocator%s", l->all_lost > 0.1 ? "; other locks cost time (panel 4)" : "");
		return;
	}
	char more[96] = "";
	size_t n = 0;
	if (worst && worst->utilisation.source && worst->utilisation.value >= 0) n = (size_t)snprintf(more, sizeof more, " held %.0f%%", 100 * worst->utilisation.value);
	if (worst && worst->mean_inside.source && worst->mean_inside.value >= 0) snprintf(more + n, sizeof more - n, ", %.1f inside", worst->mean_inside.value);
	state_say(s, STATE_LOCKS, "%s/s ± %s lost by %u threads: %s%s", seconds(l->allocator_lost, a), seconds(l->allocator_error >= 0 ? l->allocator_error : -1, b), l->threads,
	          worst ? worst->name : "", more);
}

void outlook_verdict(struct state *s, const struct observation *o)
{
	const double *f = s->figure;
	static const enum state_figure part[] = { STATE_LIVE_RESIDENT, STATE_ROUNDING, STATE_CACHED, STATE_FREE, STATE_METADATA, STATE_OTHER };
	char a[UNITS_MAX];
	double rss = 0;         /* what was resident when the heap was read: /proc's figure is of another moment, and a quick one */

	if (judge(s, o)) return;
	for (size_t i = 0; i < sizeof part / sizeof *part; i++)
		if (!isnan(f[part[i]])) rss += f[part[i]];
	if (!(rss > 0)) return;
	if (f[STATE_SWAPPED] > 0.1 * rss && f[STATE_SWAPPED] > (16 << 20))
		state_say(s, STATE_VERDICT, "%s are swapped out (panel 7)", units_bytes(f[STATE_SWAPPED], a));
	else if (f[STATE_OTHER] > 0.6 * rss)
		state_say(s, STATE_VERDICT, "%.0f%% of RSS is not malloc's (panel 7 says what it is)", 100 * f[STATE_OTHER] / rss);
	else if (!isnan(f[STATE_LIVE_RESIDENT]))
		state_say(s, STATE_VERDICT, "nothing stands out: %.0f%% of RSS is live", 100 * f[STATE_LIVE_RESIDENT] / rss);
}
