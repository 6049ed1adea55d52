/* rule_rounding.c: much of the live memory is what size classes add to what was asked for. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

/* Classes that are four to a doubling cost 20 % at worst and 10 % on average: more is due to sizes that fall just beyond a class, or to tiny blocks. */
static const double share_min = 0.2;
#define BYTES_MIN (16.0 * (1 << 20))
enum { CLASSES = 3, SITES = 3 };
static const double worth = 0.05;       /* of the loss, for a class to be spoken of */

struct rounding { double bytes, live; const char *by; };

/* Counted from outside where requested sizes stand in memory, else estimated from the agent's samples. */
static void measure(const struct facts *f, const struct heap_allocator *a, struct rounding *r)
{
	*r = (struct rounding){ NAN, NAN, "" };
	if (a->requested_bytes != HEAP_UNKNOWN && a->live_bytes != HEAP_UNKNOWN && a->live_bytes >= a->requested_bytes)
		*r = (struct rounding){ (double)(a->live_bytes - a->requested_bytes), (double)a->live_bytes, "counted block by block" };
	else if (f->agent_group.known && !isnan(f->agent_rounding))
		*r = (struct rounding){ f->agent_rounding, f->agent_live + f->agent_rounding, "estimated from the sampled sizes and the allocator's classes" };
}

static double class_waste(const struct heap_class *c)
{
	double live = (double)c->live * (double)c->size;

	return c->requested != HEAP_UNKNOWN && c->live != HEAP_UNKNOWN && live > (double)c->requested ? live - (double)c->requested : 0;
}

/* The classes that most is lost in, with the mean size that was asked for. */
static void say_classes(const struct heap_allocator *a, struct finding *out, double all)
{
	double below = INFINITY;
	char text[UNITS_MAX];

	for (unsigned n = 0; n < CLASSES; n++) {
		const struct heap_class *most = NULL;
		for (size_t i = 0; i < a->nclasses; i++) {
			double w = class_waste(&a->class[i]);
			if (w > 0 && w < below && (!most || w > class_waste(most))) most = &a->class[i];
		}
		if (!most || class_waste(most) < worth * all) return;
		below = class_waste(most);
		finding_say(out, FINDING_EVIDENCE, "%llu blocks of %.0f bytes on average are in slots of %llu: %s, %.0f %% of the loss", (unsigned long long)most->live,
		            (double)most->requested / (double)most->live, (unsigned long long)most->size, units_bytes(below, text), 100 * below / all);
	}
}

static void say_sites(const struct facts *f, struct finding *out, double all)
{
	const struct facts_site *last = NULL;
	char text[UNITS_MAX], size[UNITS_MAX];

	for (unsigned n = 0; n < SITES; n++) {
		const struct facts_site *most = NULL;
		for (size_t i = 0; i < f->nsites; i++) {
			const struct facts_site *s = &f->site[i];
			if (!(s->rounding > 0) || (last && (s->rounding > last->rounding || (s->rounding == last->rounding && s <= last)))) continue;
			if (!most || s->rounding > most->rounding) most = s;
		}
		if (!most) return;
		finding_say(out, FINDING_FROM, "%s: %s lost (%.0f %%), blocks of %s", most->stack, units_bytes(most->rounding, text), 100 * most->rounding / all, units_bytes(most->size, size));
		last = most;
	}
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	struct rounding r;
	char text[UNITS_MAX], live[UNITS_MAX];

	if (!a) return RULE_NO;
	measure(f, a, &r);
	if (isnan(r.bytes)) {
		/* even if all of it were rounding it would not be worth a word */
		if (facts_bytes(a->live_bytes) < BYTES_MIN) return RULE_NO;
		return finding_missing(out, "sizes that were asked for stand nowhere in %s: an agent would see them", a->name);
	}
	if (r.bytes < BYTES_MIN || r.bytes < share_min * r.live) return RULE_NO;
	units_bytes(r.bytes, text);
	finding_headline(out, "%s: %s of live memory are rounding, %.0f %%", a->name, text, 100 * r.bytes / r.live);
	finding_say(out, FINDING_EVIDENCE, "%s of %s live were never asked for, %s (threshold: 16 MiB and 20 %%)", text, units_bytes(r.live, live), r.by);
	say_classes(a, out, r.bytes);
	say_sites(f, out, r.bytes);
	finding_say(out, FINDING_CAUSE, "the sizes fall just beyond a size class of the allocator, or are so small that its smallest is much larger");
	recipe_code(out, "ask for sizes at or just below a class (alloctop heap --by class), or put several such objects into one block");
	recipe_replace(f, out, NULL);
	finding_say(out, FINDING_EFFECT, "up to %s less", text);
	finding_say(out, FINDING_CHECK, "alloctop heap --by class %d", (int)f->id.pid);
	out->certainty = a->requested_bytes != HEAP_UNKNOWN ? FINDING_CERTAIN : FINDING_LIKELY;
	out->cost_bytes = r.bytes;
	return RULE_YES;
}

const struct rule rule_rounding = {
	.name = "rounding",
	.kind = "WASTE",
	.title = "size classes make live memory much larger than was asked for",
	.explanation = "Allocators hand out slots of fixed sizes. With classes that are four to a doubling the loss is 20 % at worst and 10 % on average; a program whose sizes fall just beyond a class (4097, 8200 bytes: "
		"a power of two and a header), or that allocates millions of objects of few bytes, loses more. musl keeps the requested size of each block, which is read from outside; of other "
		"allocators the agent's sampled sizes are put into the classes that the allocator was seen to use, which is an estimate.",
	.threshold = "16 MiB and 20 % of the live memory",
	.source = "jemalloc(3), \"Implementation notes\" (size classes); glibc manual, \"The GNU Allocator\"; musl, src/malloc/mallocng/malloc.c, __malloc_size_classes",
	.test = test,
};
