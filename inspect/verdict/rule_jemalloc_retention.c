/* rule_jemalloc_retention.c: jemalloc keeps freed pages resident because its decay times tell it to. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

enum { DEFAULT_MS = 10000, SLACK_MS = 1000 };

static void say_decay(struct finding *out, double ms)
{
	if (ms < 0) finding_say(out, FINDING_EVIDENCE, "dirty_decay_ms is -1: pages are never given back");
	else finding_say(out, FINDING_EVIDENCE, "dirty_decay_ms is %.0f: pages are given back bit by bit until %.3g s after they were freed (default: 10 s)", ms, ms / 1000);
}

static const char *cause(double ms)
{
	if (ms < 0) return "jemalloc has been told never to give free pages back";
	if (ms > DEFAULT_MS) return "jemalloc has been told to keep free pages for longer than it does by default";
	return "what the program frees it needs again before the pages' time has come, or it frees as much as that all the time";
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "jemalloc");
	double ms = facts_fact(a, "dirty_decay"), muzzy = facts_fact(a, "muzzy"), dirty = facts_fact(a, "dirty");
	double bytes = facts_steady(f, "jemalloc", "free, trimmable");
	char text[UNITS_MAX];

	/* what is muzzy is lazily freed: rule lazy-free; what has been given back and is resident: huge-pages; what nobody decays: jemalloc-background */
	if (!isnan(muzzy) && !isnan(f->lazy_free)) bytes -= fmin(muzzy, f->lazy_free);
	if (!isnan(dirty)) bytes = fmin(bytes, dirty + (isnan(muzzy) ? 0 : muzzy));
	if (!a || !retained_matters(f, bytes) || facts_fact(a, "dirty_overdue") > bytes / 2) return RULE_NO;
	units_bytes(bytes, text);
	if (isnan(ms)) return finding_missing(out, "jemalloc keeps %s of free pages; its decay times were not found, so nothing says whether it is to keep them", text);
	if (ms >= 0 && f->watch_s * 1000 < 2 * ms + SLACK_MS)
		return finding_missing(out, "jemalloc keeps %s of free pages, and may do so for %.3g s: --for %.0f tells whether they stay", text, ms / 1000, ceil((2 * ms + SLACK_MS) / 1000));
	finding_headline(out, "jemalloc: %s of free pages stay resident, %.0f %% of RSS", text, retained_percent(f, bytes));
	finding_say(out, FINDING_EVIDENCE, "%s of its free extents were resident at the beginning and at the end of %.3g s (threshold: " RETAINED_WORDS ")", text, f->watch_s);
	say_decay(out, ms);
	finding_say(out, FINDING_CAUSE, "%s", cause(ms));
	recipe_jemalloc(f, out, a, "dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true");
	finding_say(out, FINDING_EFFECT, "RSS falls by up to %s, a second or two after the memory was freed; what is needed again costs page faults", text);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: the row \"jemalloc: free, trimmable\"", (int)f->id.pid);
	out->certainty = ms < 0 ? FINDING_CERTAIN : ms > DEFAULT_MS ? FINDING_LIKELY : FINDING_POSSIBLE;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_jemalloc_retention = {
	.name = "jemalloc-retention",
	.kind = "RETENTION",
	.title = "jemalloc keeps free pages by its decay times",
	.explanation = "Pages that jemalloc has no use for become dirty and stay resident, as they will be needed again soon more often than not. They are given "
		"back along a curve that ends dirty_decay_ms after they were freed (10 s by default, -1: never), and then, if muzzy_decay_ms is not 0, once more "
		"lazily. The decay times are read from the arenas themselves, so that they hold whoever set them. What is found here was there at the beginning "
		"and at the end of a watch that was twice as long as the decay, so it is not on its way out: either it is not to go, or the program frees "
		"and needs as much all the time. In the latter case a shorter decay costs page faults, and saves memory only between the peaks.",
	.threshold = "free extents resident at both ends of the watch: " RETAINED_WORDS "; the watch at least twice dirty_decay_ms",
	.source = "jemalloc(3), opt.dirty_decay_ms and opt.muzzy_decay_ms; jemalloc 5.3 TUNING.md, \"dirty_decay_ms and muzzy_decay_ms\"; src/decay.c",
	.test = test,
};
