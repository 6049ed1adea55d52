/* rule_leak.c: live memory that grows all through the watch. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/model/units.h"
#include "inspect/target/xalloc.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/growth.h"

enum { SITES = 3, CLASSES = 3, LONG_WATCH_S = 30, YOUNG_S = 60 };
static const double
	own_share = 0.1,        /* of the growth: a site is named */
	held_at_most = 3;       /* times the growth of live memory; beyond, it is the allocator's keeping that is to be looked at */

struct grower { const struct facts_site *site; struct growth_line line; };

static int faster(const void *a, const void *b)
{
	const struct grower *x = a, *y = b;

	return x->line.trend.slope < y->line.trend.slope ? 1 : -(x->line.trend.slope > y->line.trend.slope);
}

/* Sites that grow by the same thresholds; how many. */
static size_t growers(const struct facts *f, double slope, struct grower *out)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nsites; i++) {
		out[n].site = &f->site[i];
		growth_of_site(f, out[n].site, &out[n].line);
		if (out[n].line.steady && out[n].line.trend.slope >= own_share * slope) n++;
	}
	qsort(out, n, sizeof *out, faster);
	return n;
}

/* Which sizes there are more of, where the allocator was read by classes both times: known without an agent, and often enough to find the code. */
static void say_classes(const struct facts *f, struct finding *x)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL, *before = facts_before(f, a);
	char more[UNITS_MAX], bytes[UNITS_MAX], asked[48];
	double all = before ? facts_bytes(a->live_bytes) - facts_bytes(before->live_bytes) : NAN;

	for (size_t i = 0, k = 0, said = 0; all > 0 && before->nclasses && i < a->nclasses && said < CLASSES; i++) {
		const struct heap_class *c = &a->class[i], *was;
		while (k < before->nclasses && before->class[k].size < c->size) k++;
		was = k < before->nclasses && before->class[k].size == c->size ? &before->class[k] : &(struct heap_class){ 0 };
		double objects = facts_bytes(c->live) - facts_bytes(was->live), grown = objects * (double)c->size;
		if (!(grown >= own_share * all)) continue;
		double each = (facts_bytes(c->requested) - facts_bytes(was->requested)) / objects;
		snprintf(asked, sizeof asked, each > 0 && each <= (double)c->size ? ", asked for as %.0f on average" : "", each);
		finding_say(x, FINDING_EVIDENCE, "%s more blocks of up to %llu bytes%s: %s, %.0f %% of the growth", units_count(objects, more), (unsigned long long)c->size, asked,
		            units_bytes(grown, bytes), fmin(100 * grown / all, 100));
		said++;
	}
}

/* The sites that grow; returns their share of the growth. */
static double say_sites(const struct facts *f, double slope, struct finding *x)
{
	struct grower *g = xcalloc(f->nsites + 1, sizeof *g);
	size_t n = growers(f, slope, g);
	double explained = 0;
	char a[UNITS_MAX], b[UNITS_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct facts_site *s = g[i].site;
		explained += g[i].line.trend.slope;
		if (i >= SITES) continue;
		finding_say(x, FINDING_FROM, "%s: %s/s (95 %%: %s to %s)", s->stack, units_bytes(g[i].line.trend.slope, a), units_bytes(fmax(g[i].line.trend.low, 0), b),
		            units_bytes(g[i].line.trend.high, (char[UNITS_MAX]){ 0 }));
		if (!isnan(s->freed_share)) finding_say(x, FINDING_EVIDENCE, "%s: %.0f %% of what it ever allocated has been freed; %s live", s->function, 100 * s->freed_share, units_bytes(s->live, a));
	}
	free(g);
	return explained / slope;
}

/* No site is known to grow: why, what comes nearest, and what would name it. */
static void say_unknown(const struct facts *f, const struct growth *g, struct finding *x)
{
	char rate[UNITS_MAX];
	int pid = (int)f->id.pid;

	say_classes(f, x);
	growth_from_faults(f, g, FINDING_EVIDENCE, x);
	if (f->nfaults) finding_say(x, FINDING_EVIDENCE, "who touches a page first need not be who keeps what is on it: others use it later without a fault");
	if (f->agent_group.known) {
		finding_say(x, FINDING_FROM, "not known yet: no site's own growth is more than noise, at one sample per %s", units_bytes(f->sample_rate, rate));
		finding_say(x, FINDING_DO, "alloctop set %d rate=64K, then watch longer: alloctop diagnose --for 1m %d names the functions", pid, pid);
		return;
	}
	finding_say(x, FINDING_FROM, "who allocated what stays is not known: %s", f->agent_group.why);
	if (f->id.is_static) finding_say(x, FINDING_DO, "alloctop attach %d, which takes a static program when it has symbols or is of musl, or link it with liballoctop.a (alloctop-agent(7))", pid);
	else finding_say(x, FINDING_DO, "alloctop attach %d, or start it with: alloctop run -- %s", pid, f->id.program);
	finding_say(x, FINDING_DO, "then alloctop diagnose --for 1m %d names the functions", pid);
}

static void say_advice(const struct facts *f, const struct growth *g, struct finding *x)
{
	char left[UNITS_MAX], limit[UNITS_MAX];
	double room = f->memory_limit - g->rss.level;

	if (room > 0 && g->live.trend.slope > 0)
		finding_say(x, FINDING_EVIDENCE, "at this rate its memory limit (%s) is reached in %s", units_bytes(f->memory_limit, limit), units_seconds(room / g->live.trend.slope, left));
	finding_say(x, FINDING_EFFECT, "no setting of an allocator helps: what is live is not given back");
	finding_say(x, FINDING_CHECK, "alloctop diagnose --for 1m %d", (int)f->id.pid);
	if (f->agent_group.known) finding_say(x, FINDING_CHECK, "alloctop dump --seconds 60 --format text %d", (int)f->id.pid);
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	struct growth g;
	char rate[UNITS_MAX], low[UNITS_MAX], high[UNITS_MAX], rise[UNITS_MAX], level[UNITS_MAX];

	growth_of(f, &g);
	if (!g.tested) return finding_missing(x, "too few looks at it to tell growth from noise: watch longer");
	if (isnan(g.live.rise)) return finding_missing(x, "live memory could not be read twice: %s", f->heap_group.known ? f->agent_group.why : f->heap_group.why);
	if (!g.live.steady || g.held.rise > held_at_most * g.live.rise) return RULE_NO;
	const struct trend *t = g.live.trend.n >= GROWTH_POINTS ? &g.live.trend : &g.rss.trend;
	double slope = g.live.rise / f->watch_s;
	finding_headline(x, "live memory grows by %s/s: %s in %s, and it has not stopped", units_bytes(slope, rate), units_bytes(g.live.rise, rise), units_seconds(f->watch_s, high));
	finding_say(x, FINDING_EVIDENCE, "%s: %s/s (95 %%: %s to %s), p = %.1g over %zu looks, %.0f %% of the steps go up; live %s by the %s", t == &g.live.trend ? "live" : "RSS, as live itself is too dear to read often",
	            units_bytes(t->slope, rate), units_bytes(fmax(t->low, 0), low), units_bytes(t->high, high), t->p, t->n, 100 * t->rises, units_bytes(g.live.level, level),
	            f->live_source ? f->live_source : "ledger");
	if (!isnan(g.held.rise))
		finding_say(x, FINDING_EVIDENCE, "free memory that the allocator holds changed by %s%s meanwhile%s", g.held.rise < 0 ? "-" : "", units_bytes(fabs(g.held.rise), rise),
		            g.held.rise < g.live.rise / 2 ? ": it is not that memory is kept after it was freed" : "");
	double explained = say_sites(f, slope, x);
	if (explained > 0) {
		finding_say(x, FINDING_EVIDENCE, "these sites make up %.0f %% of the growth", fmin(100 * explained, 100));
		finding_say(x, FINDING_DO, "look at who keeps what these functions allocate: each should have an end, a limit, or an expiry");
	} else {
		say_unknown(f, &g, x);
	}
	const char *runtime = f->id.runtime;
	if (f->uptime_s < YOUNG_S) finding_say(x, FINDING_CAUSE, "more is allocated than freed; but it began only %s ago, and may still be filling its caches", units_seconds(f->uptime_s, rate));
	else if (*runtime) finding_say(x, FINDING_CAUSE, "more is allocated than freed: a leak, a cache without a limit, or a collection of %s's that is not due yet", runtime);
	else finding_say(x, FINDING_CAUSE, "more is allocated than freed all the time: a leak, or a cache without a limit");
	say_advice(f, &g, x);
	x->certainty = f->uptime_s < YOUNG_S || f->watch_s < 5 ? FINDING_POSSIBLE : f->watch_s >= LONG_WATCH_S && explained > 0.5 ? FINDING_CERTAIN : FINDING_LIKELY;
	x->cost_bytes = slope * 3600;
	return RULE_YES;
}

const struct rule rule_leak = {
	.name = "leak",
	.kind = "LEAK",
	.title = "live memory grows steadily",
	.explanation = "Three things make resident memory grow, and only one is a leak: live memory grows (more is allocated than freed), the allocator keeps what was freed (retention, fragmentation), or the memory "
	               "is not malloc's at all. So the trend is tested on live memory itself, read from the allocator's own records, or estimated by the agent where those cannot be read. Mann and Kendall's test asks "
	               "whether it rises more often than noise would, Theil and Sen's slope how fast; the rise must stand out from the scatter around the line, and the second half must still rise, as a cache that "
	               "fills up flattens. With an agent the same is asked of each site. A cache that grows without a limit reads the same from outside: whether it is meant to is for its author to say.",
	.threshold = "p < 0.01 over at least 6 looks; a rise of at least 256K and 0.5 % of live memory, and 3 times the scatter around the line; the second half at least 0.3 times as steep; not if free memory held grows by more than 3 times as much, see retention. A site is named from 10 % of the "
	             "growth on. Certain when at least 30 s were watched and sites explain half of it; only possible in a process younger than a minute or watched for less than 5 s",
	.source = "Mann 1945 (Econometrica 13), Kendall 1975 (Rank Correlation Methods), Sen 1968 (JASA 63)",
	.test = test,
};
