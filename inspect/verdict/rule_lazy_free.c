/* rule_lazy_free.c: resident memory that has been given back already, only that the kernel did not need it yet. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

static void say_do(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "jemalloc");
	double muzzy = facts_fact(a, "muzzy_decay");

	finding_say(out, FINDING_DO, "nothing, if it is only the figure that worries: count RSS without LazyFree (/proc/%d/smaps_rollup)", (int)f->id.pid);
	if (a && !(muzzy == 0)) recipe_jemalloc(f, out, a, "muzzy_decay_ms:0");
	else if (facts_allocator(f, "musl") && facts_version(f->id.libc_version, 1, 2) == 1) finding_say(out, FINDING_DO, "musl 1.2.4 and later no longer do it");
	else if (f->id.go) recipe_variable(f, out, "GODEBUG", "madvdontneed=1");
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	char text[UNITS_MAX], rest[UNITS_MAX];

	if (!retained_matters(f, f->lazy_free)) return RULE_NO;
	units_bytes(f->lazy_free, text);
	finding_headline(out, "%s of RSS are not used: lazily freed, %.0f %%", text, retained_percent(f, f->lazy_free));
	finding_say(out, FINDING_EVIDENCE, "LazyFree is %s of %s resident (threshold: " RETAINED_WORDS ")", text, units_bytes(f->rss, rest));
	finding_say(out, FINDING_CAUSE, "it was given back with madvise(MADV_FREE): the kernel takes it when it is short of memory, and counts it as resident until then");
	say_do(f, out);
	finding_say(out, FINDING_EFFECT, "RSS shows %s less; memory that is needed again costs page faults that it does not cost now", text);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: \"lazily freed\"", (int)f->id.pid);
	out->certainty = FINDING_CERTAIN;
	out->cost_bytes = f->lazy_free;
	return RULE_YES;
}

const struct rule rule_lazy_free = {
	.name = "lazy-free",
	.kind = "RETENTION",
	.title = "resident memory that has been given back lazily",
	.explanation = "madvise(MADV_FREE) tells the kernel that it may take pages, and the kernel does so when memory runs short, within the limit of a control group as "
		"well. Until then they count as resident, in RSS and in the memory.current of the control group, though the process could not be killed for them alone. "
		"jemalloc does it to pages between its two decay times (muzzy_decay_ms; 0 by default in 5.3), musl 1.2.1 to 1.2.3 to freed groups, Go 1.12 to 1.15 always. It "
		"looks like a leak, and is none. LazyFree in smaps_rollup counts these pages exactly.",
	.threshold = "LazyFree: " RETAINED_WORDS,
	.source = "madvise(2), MADV_FREE; proc(5), LazyFree; jemalloc(3), opt.muzzy_decay_ms; musl 1.2.4 WHATSNEW",
	.test = test,
};
