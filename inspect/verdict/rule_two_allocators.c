/* rule_two_allocators.c: two allocators share the work, and neither can use what the other has free. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

/* libc's own allocations under another malloc, or a library's few, are normal. */
static const double share_min = 0.1;
#define BYTES_MIN (16.0 * (1 << 20))

#define WORTH (1.0 * (1 << 20))          /* of free memory to be spoken of */

/* What it has resident; NAN when it is not known. */
static double has(const struct facts *f, const struct heap_allocator *a) { return facts_ledger(f, a->name, ""); }

static void say_one(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	const struct facts_deployed *d = facts_deployed(f, a);
	char resident[UNITS_MAX], live[UNITS_MAX], vacant[UNITS_MAX];

	finding_say(out, FINDING_EVIDENCE, "%s in %s%s%s%s: %s resident, %s live, %s free", a->name, *a->owner ? a->owner : "the program", d && *d->prefix ? " (its names begin with " : "",
	            d ? d->prefix : "", d && *d->prefix ? ")" : "", units_bytes(has(f, a), resident),
	            a->live_bytes == HEAP_UNKNOWN ? "an unknown part" : units_bytes((double)a->live_bytes, live),
	            units_bytes(facts_ledger(f, a->name, "free"), vacant));
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *one = NULL, *two = NULL;
	char text[UNITS_MAX];

	for (size_t i = 0; f->heap_group.known && i < f->heap.nallocators; i++) {
		const struct heap_allocator *a = &f->heap.allocator[i];
		if (!a->in_use || isnan(has(f, a))) continue;
		/* of two of one kind the ledger's rows are told apart by object, and are not summed here */
		if (one && !strcmp(one->name, a->name)) continue;
		if (!one || has(f, a) > has(f, one)) two = one, one = a;
		else if (!two || has(f, a) > has(f, two)) two = a;
	}
	if (!two || has(f, two) < BYTES_MIN || has(f, two) < share_min * (has(f, one) + has(f, two))) return RULE_NO;
	double vacant = facts_ledger(f, two->name, "free");
	finding_headline(out, "two allocators in use: %s, and %s with %s", one->name, two->name, units_bytes(has(f, two), text));
	say_one(f, out, one);
	say_one(f, out, two);
	finding_say(out, FINDING_EVIDENCE, "the smaller one has %s (threshold: 16 MiB, and a tenth of both)", text);
	finding_say(out, FINDING_CAUSE, "a library or a language brings an allocator of its own: what is free in one is of no use to the other, and settings are for one of them only");
	if (facts_deployed(f, two) && *facts_deployed(f, two)->prefix) recipe_code(out, "build the part that brings %s without it, or the program with the same one", two->name);
	else recipe_code(out, "let both parts use one malloc: without an allocator of its own linked in, or with the same one");
	recipe_code(out, "set whatever is set for the one for the other as well: see what `alloctop heap` shows of each");
	if (vacant >= WORTH) finding_say(out, FINDING_EFFECT, "up to %s less, and one place to look", units_bytes(vacant, text));
	else finding_say(out, FINDING_EFFECT, "one place to look and to tune; less memory when one of them is at its peak and the other is not");
	finding_say(out, FINDING_CHECK, "alloctop heap %d", (int)f->id.pid);
	out->certainty = FINDING_CERTAIN;
	out->cost_bytes = isnan(vacant) ? 0 : vacant;
	return RULE_YES;
}

const struct rule rule_two_allocators = {
	.name = "two-allocators",
	.kind = "SETUP",
	.title = "two allocators share the work",
	.explanation = "A Rust or Go part, a library with a prefixed jemalloc, a static allocator in the executable beside libc's for its libraries: two heaps in one process. Neither can use what the other has "
		"free, so both peaks stay; and settings, statistics and profiles of one say nothing of the other. libc's own few blocks under another malloc are normal and below the threshold.",
	.threshold = "the smaller one has 16 MiB resident, and a tenth of both",
	.source = "jemalloc, INSTALL.md, --with-jemalloc-prefix; ld.so(8)",
	.test = test,
};
