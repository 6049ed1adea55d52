/* rule_tcmalloc_page_heap.c: threads wait for the one lock of tcmalloc's page heap. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

/* As at the central lists: a twentieth of a thread. */
static const double lost_min = 0.05, contended_min = 0.05;

static int set_to_yes(const char *v) { return v && (*v == '1' || *v == 't' || *v == 'T' || *v == 'y' || *v == 'Y'); }

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "tcmalloc");
	const char *rate = facts_env(f, "TCMALLOC_RELEASE_RATE");
	struct pressure p;
	char text[160];

	if (!a) return RULE_NO;
	pressure_of(f, "tcmalloc", "tcmalloc page heap", &p);
	if (!f->locks_group.known) return f->threads > 1 ? finding_missing(out, "whether threads wait for tcmalloc's page heap: %s", f->locks_group.why) : RULE_NO;
	if (!(p.lost >= lost_min) && !(p.contended >= contended_min)) return RULE_NO;
	if (p.lost >= lost_min) finding_headline(out, "tcmalloc's page heap: %.2f of %u threads wait for its lock", p.lost, f->threads);
	else finding_headline(out, "tcmalloc's page heap: its lock is waited for in %.0f %% of looks", p.contended * 100);
	finding_say(out, FINDING_EVIDENCE, "%s (threshold: %.2f thread-seconds per second, or 5 %% of looks)", pressure_text(&p, text, sizeof text), lost_min);
	pressure_from(&p, out);
	finding_say(out, FINDING_CAUSE, "each block above 256 KiB, and each span for smaller ones, comes from one page heap with one lock, and pages are given back under it");
	if (set_to_yes(facts_env(f, "TCMALLOC_AGGRESSIVE_DECOMMIT"))) recipe_variable(f, out, "TCMALLOC_AGGRESSIVE_DECOMMIT", "f");
	if (rate && atof(rate) > 1) recipe_variable(f, out, "TCMALLOC_RELEASE_RATE", "1");
	recipe_code(out, "keep and use again what is larger than 256 KiB, instead of allocating it anew");
	recipe_replace(f, out, "mimalloc");
	finding_say(out, FINDING_EFFECT, "up to %.2f threads' time is won", isnan(p.lost) ? p.contended : p.lost);
	recipe_compare(f, out, NULL);
	out->certainty = FINDING_CERTAIN;
	out->cost_threads = isnan(p.lost) ? p.contended : p.lost;
	return RULE_YES;
}

const struct rule rule_tcmalloc_page_heap = {
	.name = "tcmalloc-page-heap",
	.kind = "CONTENTION",
	.title = "threads wait for the lock of tcmalloc's page heap",
	.explanation = "gperftools' tcmalloc has one page heap. Blocks above 256 KiB are allocated from it directly, and central lists fetch and return spans there; madvise(2) is "
		"called under its lock as well, often when pages are decommitted aggressively. No setting divides the lock: what helps is to ask it less often.",
	.threshold = "0.05 thread-seconds of waiting per second at the page heap's lock, or waited for in 5 % of looks",
	.source = "gperftools, docs/tcmalloc.html, \"Large Objects\" and \"TCMALLOC_RELEASE_RATE\"; src/page_heap.cc",
	.test = test,
};
