/* rule_tcmalloc_release.c: tcmalloc's page heap keeps free pages resident. */
#include "inspect/verdict/rule.h"

#include <math.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "tcmalloc");
	const char *rate = facts_env(f, "TCMALLOC_RELEASE_RATE");
	double bytes = facts_steady(f, "tcmalloc", "free, trimmable");
	char text[UNITS_MAX];

	/* what has been given back and is resident is the huge pages' doing */
	if (!isnan(facts_fact(a, "pageheap_free"))) bytes = fmin(bytes, facts_fact(a, "pageheap_free"));
	if (!a || !retained_matters(f, bytes)) return RULE_NO;
	units_bytes(bytes, text);
	finding_headline(out, "tcmalloc: %s of free pages stay resident, %.0f %% of RSS", text, retained_percent(f, bytes));
	finding_say(out, FINDING_EVIDENCE, "%s of the page heap's free spans were resident at the beginning and at the end of %.3g s (threshold: " RETAINED_WORDS ")", text, f->watch_s);
	finding_say(out, FINDING_EVIDENCE, "TCMALLOC_RELEASE_RATE is %s", rate ? rate : "not set: 1");
	finding_say(out, FINDING_CAUSE, "the page heap gives a span back only after so many pages have been freed to it; a program that frees little, or has become quiet, keeps what it has");
	recipe_variable(f, out, "TCMALLOC_AGGRESSIVE_DECOMMIT", "t");
	recipe_variable(f, out, "TCMALLOC_RELEASE_RATE", "10");
	finding_say(out, FINDING_DO, "the rate helps only while the program goes on to free: a quiet one keeps what it has");
	recipe_code(out, "or, after a peak: MallocExtension_ReleaseFreeMemory()");
	finding_say(out, FINDING_EFFECT, "RSS falls by up to %s; what is needed again costs page faults, and the page heap's lock is held for longer", text);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: the row \"tcmalloc: free, trimmable\"", (int)f->id.pid);
	out->certainty = FINDING_CERTAIN;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_tcmalloc_release = {
	.name = "tcmalloc-release",
	.kind = "RETENTION",
	.title = "tcmalloc's page heap keeps free pages resident",
	.explanation = "gperftools' tcmalloc gives free spans back bit by bit: TCMALLOC_RELEASE_RATE (0 never, 1 by default, 10 fast) says how many pages for each that is freed to the "
		"page heap. It has no clock: when nothing is freed, nothing is given back. TCMALLOC_AGGRESSIVE_DECOMMIT gives back at once whatever becomes a free span.",
	.threshold = "free spans resident at both ends of the watch: " RETAINED_WORDS,
	.source = "gperftools, docs/tcmalloc.html, \"TCMALLOC_RELEASE_RATE\" and \"TCMALLOC_AGGRESSIVE_DECOMMIT\"; src/page_heap.cc, IncrementalScavenge",
	.test = test,
};
