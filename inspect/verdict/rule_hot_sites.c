/* rule_hot_sites.c: few places allocate very often what lives very briefly. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

enum {
	RATE_MIN = 200000,              /* per second: at pair_s each, 1 % of a processor */
	SAMPLES_MIN = 20,               /* fewer say too little of a site */
	SITES = 3,
};
static const double life_max = 1e-3, freed_min = 0.9;
static const double pair_s = 50e-9;     /* malloc and free that meet a cache: 20 to 100 ns */

static int is_hot(const struct facts_site *s)
{
	return s->objects_per_s >= RATE_MIN && s->life_s >= 0 && s->life_s <= life_max && s->freed_share >= freed_min && s->samples >= SAMPLES_MIN;
}

/* The next less frequent hot site than `than` (NULL: the most frequent). */
static const struct facts_site *next_hot(const struct facts *f, const struct facts_site *than)
{
	const struct facts_site *best = NULL;

	for (size_t i = 0; i < f->nsites; i++) {
		const struct facts_site *s = &f->site[i];
		if (!is_hot(s) || s == than) continue;
		if (than && (s->objects_per_s > than->objects_per_s || (s->objects_per_s == than->objects_per_s && s < than))) continue;
		if (!best || s->objects_per_s > best->objects_per_s) best = s;
	}
	return best;
}

/* What uses less than the threshold's calls cost cannot be at it. */
static int is_idle(const struct facts *f) { return facts_cpu(f) < RATE_MIN * pair_s; }

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct facts_site *s = next_hot(f, NULL);
	double rate = 0;
	char text[UNITS_MAX], size[UNITS_MAX], all[UNITS_MAX];

	if (!f->agent_group.known && is_idle(f)) return RULE_NO;
	if (!f->agent_group.known) return finding_missing(out, "which places allocate often and briefly, only an agent sees: %s", f->agent_group.why);
	if (!s) return RULE_NO;
	finding_headline(out, "%s(): %s blocks per second that live %.2g ms", s->function, units_count(s->objects_per_s, text), s->life_s * 1e3);
	for (size_t i = 0; i < f->nsites; i++)
		if (is_hot(&f->site[i])) rate += f->site[i].objects_per_s;
	finding_say(out, FINDING_EVIDENCE, "%s short-lived blocks per second of %s in all (threshold: 200k at one site, median life at most 1 ms)", units_count(rate, text), units_count(f->alloc_objects_per_s, all));
	recipe_code(out, "in %s(): use a buffer again, on the stack, in the thread or in the object, instead of allocating it each time", s->function);
	for (unsigned n = 0; s && n < SITES; n++, s = next_hot(f, s))
		finding_say(out, FINDING_FROM, "%s: %s per second, %s each, median life %.2g ms", s->stack, units_count(s->objects_per_s, text), units_bytes(s->size, size), s->life_s * 1e3);
	finding_say(out, FINDING_CAUSE, "blocks are allocated and freed at once, over and over");
	finding_say(out, FINDING_EFFECT, "about %.2f processors, at 50 ns for a pair of calls, and less disturbance of the allocator's caches", rate * pair_s);
	finding_say(out, FINDING_CHECK, "alloctop top %d: the site's rate", (int)f->id.pid);
	out->certainty = FINDING_LIKELY;
	out->cost_threads = rate * pair_s;
	return RULE_YES;
}

const struct rule rule_hot_sites = {
	.name = "hot-sites",
	.kind = "CHURN",
	.title = "few places allocate very often what lives very briefly",
	.explanation = "No allocator is as fast as not to allocate. A place in the program that allocates hundreds of thousands of blocks per second and frees each within a millisecond could keep one block "
		"and use it again. The rate is the agent's estimate over the watch, the life the median of its samples that were freed; both need an agent.",
	.threshold = "one site with 200000 blocks per second, by 20 samples or more, median life at most 1 ms, 90 % freed",
	.source = "the views of temporary allocations of heaptrack (heaptrack_print -T), and of alloc_objects of pprof",
	.test = test,
};
