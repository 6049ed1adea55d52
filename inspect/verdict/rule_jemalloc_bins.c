/* rule_jemalloc_bins.c: threads wait for the mutexes of jemalloc's bins and of its free extents. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/pressure.h"
#include "inspect/verdict/recipe.h"

/* Thread-seconds per second: a twentieth of one thread. What a busy service loses without anybody noticing is a hundredth of that. */
static const double lost_min = 0.05;
enum { ARENAS_PER_CPU = 4 /* jemalloc's own default */ };

static void say_do(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	const char *conf = facts_env(f, "MALLOC_CONF");
	size_t full = (size_t)f->cpus * ARENAS_PER_CPU;
	char options[160], variable[RECIPE_MAX];
	int n = 0;

	/* what was switched off first; then what there are too few of; then larger caches */
	if (facts_fact(a, "tcaches") == 0 || (conf && strstr(conf, "tcache:false"))) n += snprintf(options + n, sizeof options - (size_t)n, "tcache:true,");
	if (a->narenas < full && f->threads > a->narenas) n += snprintf(options + n, sizeof options - (size_t)n, "narenas:%zu,", full);
	else n += snprintf(options + n, sizeof options - (size_t)n, "percpu_arena:percpu,");
	snprintf(options + n, sizeof options - (size_t)n, "%s", facts_version(a->version, 5, 3) == 1 ? "lg_tcache_nslots_mul:3,tcache_max:65536" : "lg_tcache_max:16");
	recipe_jemalloc(f, out, a, options);
	recipe_compare(f, out, recipe_jemalloc_variable(f, a, options, variable));
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = facts_allocator(f, "jemalloc");
	double ops = facts_fact_per_s(f, a, "bin_lock_ops");
	struct pressure p;
	char text[160], count[UNITS_MAX];

	if (!a) return RULE_NO;
	pressure_of(f, "jemalloc", "jemalloc arena", &p);
	/* its own counters, also where no source watched */
	if (isnan(p.lost)) p.lost = facts_fact_per_s(f, a, "bin_lock_wait");
	if (isnan(p.lost)) return f->threads > 1 ? finding_missing(out, "how long threads wait for jemalloc's bins: %s", *f->locks_group.why ? f->locks_group.why : "nobody could tell") : RULE_NO;
	if (p.lost < lost_min) return RULE_NO;
	finding_headline(out, "jemalloc's arenas: %.2f of %u threads wait for their mutexes", p.lost, f->threads);
	finding_say(out, FINDING_EVIDENCE, "%s, waits and time by jemalloc's own counters (threshold: %.2f thread-seconds per second)", pressure_text(&p, text, sizeof text), lost_min);
	if (p.worst) finding_say(out, FINDING_EVIDENCE, "most at %s: %.2f", p.worst->row->name, fmax(p.worst->row->lost_s_per_s.value, 0));
	if (!isnan(ops)) finding_say(out, FINDING_EVIDENCE, "%s acquisitions per second in %zu arena%s, for %u threads on %u processors", units_count(ops, count), a->narenas, a->narenas == 1 ? "" : "s", f->threads, f->cpus);
	pressure_from(&p, out);
	finding_say(out, FINDING_CAUSE, "threads share arenas, and what they allocate and free passes their own caches by: too many blocks at once, or no cache");
	say_do(f, out, a);
	finding_say(out, FINDING_EFFECT, "up to %.2f threads' time is won", p.lost);
	out->certainty = FINDING_CERTAIN;
	out->cost_threads = p.lost;
	return RULE_YES;
}

const struct rule rule_jemalloc_bins = {
	.name = "jemalloc-bins",
	.kind = "CONTENTION",
	.title = "threads wait for the mutexes of jemalloc's bins and extents",
	.explanation = "Each arena of jemalloc has a bin, with a mutex, for each small size class. A thread takes it only when its cache (tcache) of that class is empty or full, "
		"for many blocks at once; so waiting there means that caches are off or too small for how the program allocates (many blocks of one class at once, or "
		"blocks that other threads free), or that many threads share few arenas. Slabs that empty and fill again, and large blocks, take the mutex of the arena's free "
		"extents as well. jemalloc counts at each mutex how often and how long was waited; the counters are read "
		"at the beginning and at the end, so the figure is exact. More arenas cost memory: each keeps free pages of its own.",
	.threshold = "0.05 thread-seconds of waiting per second, of all bins and extents",
	.source = "jemalloc(3), opt.narenas, opt.percpu_arena, opt.lg_tcache_nslots_mul, opt.tcache_max, stats.arenas.<i>.bins.<j>.mutex; jemalloc 5.3 TUNING.md, \"narenas\" and \"percpu_arena\"",
	.test = test,
};
