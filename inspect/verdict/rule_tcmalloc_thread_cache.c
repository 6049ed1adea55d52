/* rule_tcmalloc_thread_cache.c: tcmalloc's threads wait at its central lists, as their caches are too small. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

/* Thread-seconds per second, and share of looks at one lock: a twentieth of a thread. A spin lock's word says that somebody sleeps, and not how long. */
static const double lost_min = 0.05, contended_min = 0.05;
static const char variable[] = "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", batch[] = "TCMALLOC_TRANSFER_NUM_OBJ";
#define MIB (1024.0 * 1024)
/* Of all caches together, and what one may grow to (gperftools, src/common.h: kDefaultOverallThreadCacheSize, kMaxThreadCacheSize). */
static const double default_bytes = 32 * MIB, each_bytes = 4 * MIB;

/* What is allowed now, by its environment. */
static double allowed(const struct facts *f)
{
	const char *set = facts_env(f, variable);

	return set && atof(set) > 0 ? atof(set) : default_bytes;
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "tcmalloc");
	struct pressure p;
	char text[160], now[UNITS_MAX], cached[UNITS_MAX], value[32];

	if (!a) return RULE_NO;
	pressure_of(f, "tcmalloc", "tcmalloc central list", &p);
	if (!f->locks_group.known) return f->threads > 1 ? finding_missing(out, "whether threads wait for tcmalloc's central lists: %s", f->locks_group.why) : RULE_NO;
	if (!(p.lost >= lost_min) && !(p.contended >= contended_min)) return RULE_NO;
	double wanted = fmax(2 * allowed(f), f->threads * each_bytes);
	units_bytes(allowed(f), now);
	if (p.lost >= lost_min) finding_headline(out, "tcmalloc's central lists: %.2f of %u threads wait for them", p.lost, f->threads);
	else finding_headline(out, "tcmalloc's central lists: waited for in %.0f %% of looks", p.contended * 100);
	finding_say(out, FINDING_EVIDENCE, "%s (threshold: %.2f thread-seconds per second, or 5 %% of looks)", pressure_text(&p, text, sizeof text), lost_min);
	if (p.worst) finding_say(out, FINDING_EVIDENCE, "most at %s", p.worst->row->name);
	finding_say(out, FINDING_EVIDENCE, "%u threads share %s of caches (%s), %s are in them", f->threads, now, facts_env(f, variable) ? variable : "the default",
	            units_bytes(facts_fact(a, "thread_cache_free"), cached));
	pressure_from(&p, out);
	finding_say(out, FINDING_CAUSE, "caches that are too small for what the threads allocate at a time are filled from and emptied to the central lists, each under a spin lock");
	snprintf(value, sizeof value, "%.0f", wanted);
	/* a list holds 8192 blocks at most, however large the caches: then only larger batches help */
	recipe_variables(f, out, (struct recipe_setting[]){ { variable, value }, { batch, "1024" } }, facts_env(f, batch) ? 1 : 2);
	finding_say(out, FINDING_EFFECT, "fewer visits to the central lists; up to %s more memory in caches", units_bytes(wanted - allowed(f), now));
	snprintf(text, sizeof text, "%s=%s %s=1024", variable, value, batch);
	recipe_compare(f, out, text);
	out->certainty = FINDING_LIKELY;
	out->cost_threads = isnan(p.lost) ? p.contended : p.lost;
	return RULE_YES;
}

const struct rule rule_tcmalloc_thread_cache = {
	.name = "tcmalloc-thread-cache",
	.kind = "CONTENTION",
	.title = "threads wait for tcmalloc's central lists",
	.explanation = "gperftools' tcmalloc gives each thread a cache, and all caches together TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES: 32 MiB, which hundreds of threads share. A cache that "
		"is empty or full goes to the central list of the size class, under a spin lock, after which it sleeps in futex. Waiting there means that caches are too "
		"small, or that more blocks of a class are used at a time than a cache holds (8192): then batches of more than 32 (TCMALLOC_TRANSFER_NUM_OBJ) help; "
		"or that some threads allocate what others free: then a larger cache helps less, and rule remote-frees says so when there is an agent.",
	.threshold = "0.05 thread-seconds of waiting per second at the central lists, or one of them waited for in 5 % of looks",
	.source = "gperftools, docs/tcmalloc.html, \"Modifying Runtime Behavior\"; src/common.h, src/thread_cache.cc",
	.test = test,
};
