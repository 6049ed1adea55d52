/* rule_mimalloc_purge.c: mimalloc keeps free pages resident. */
#include "inspect/verdict/rule.h"

#include <math.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

static void say_setting(const struct facts *f, struct finding *out)
{
	static const char *const names[] = { "MIMALLOC_PURGE_DELAY", "MIMALLOC_DECOMMIT_DELAY", "MIMALLOC_RESET_DELAY" };
	int set = 0;

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		const char *v = facts_env(f, names[i]);
		if (v) finding_say(out, FINDING_EVIDENCE, "%s is %s", names[i], v), set = 1;
	}
	if (!set) finding_say(out, FINDING_EVIDENCE, "MIMALLOC_PURGE_DELAY is not set: 10 ms in versions 2, 1 s in version 3");
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "mimalloc");
	double bytes = facts_steady(f, "mimalloc", "free, trimmable");
	char text[UNITS_MAX];

	if (!a || !retained_matters(f, bytes)) return RULE_NO;
	units_bytes(bytes, text);
	finding_headline(out, "mimalloc: %s of free pages stay resident, %.0f %% of RSS", text, retained_percent(f, bytes));
	finding_say(out, FINDING_EVIDENCE, "%s without any block in them were resident at the beginning and at the end of %.3g s (threshold: " RETAINED_WORDS ")", text, f->watch_s);
	say_setting(f, out);
	finding_say(out, FINDING_CAUSE, "pages wait for their purge delay, and are purged when their thread allocates or frees in earnest the next time: a quiet one keeps them");
	recipe_mimalloc_delay(f, out, a, "0");
	recipe_code(out, "or, after a peak, in each thread: mi_collect(true)");
	finding_say(out, FINDING_EFFECT, "RSS falls by up to %s; memory that is needed again at once costs page faults", text);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: the row \"mimalloc: free, trimmable\"", (int)f->id.pid);
	out->certainty = FINDING_LIKELY;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_mimalloc_purge = {
	.name = "mimalloc-purge",
	.kind = "RETENTION",
	.title = "mimalloc keeps free pages resident",
	.explanation = "mimalloc gives pages that have no block left back to the kernel after a delay (MIMALLOC_PURGE_DELAY; before 2.1 MIMALLOC_DECOMMIT_DELAY), but has no thread of its own: "
		"the delay is looked at when a thread allocates or frees through the slow path. A thread that has become quiet keeps what it had. A delay of 0 purges at once.",
	.threshold = "pages without blocks, resident at both ends of the watch: " RETAINED_WORDS,
	.source = "mimalloc readme.md, \"Environment Options\", MIMALLOC_PURGE_DELAY; src/segment.c (2.x), src/arena.c",
	.test = test,
};
