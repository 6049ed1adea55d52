/* rule_mmap_churn.c: memory goes back to the kernel with every block, and comes anew with the next: page faults without growth. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

enum {
	PAGE = 4096,
	FAULTS_MIN = 1000,              /* per second: below, nobody would notice */
	FAULTS_OF_CPU = 20000,          /* per second of processor time: with what unmapping costs, two percent of it and more */
	SITES = 3,
	JEMALLOC_DEFAULT_MS = 10000,
};
/* Of the pages that were faulted in, so many were not growth: they had been there before. */
static const double again_min = 0.8;
/* Of looks at its resident memory, so many saw less than the one before: it is given back again and again, and not at times. */
static const double shrinks_min = 0.02;
/* Entering the kernel and clearing a page: what a fault costs at least. */
static const double fault_s = 0.5e-6;
#define TRIM_WANTED "268435456"
#define MMAP_THRESHOLD_MAX (32.0 * (1 << 20))           /* glibc, malloc/malloc.c, DEFAULT_MMAP_THRESHOLD_MAX of 64-bit */

struct churn {
	double faults, of_cpu, again;           /* per second, per second of processor time; share without growth */
	double large;                   /* bytes per second of sites whose blocks are beyond the threshold; NAN without an agent */
	double largest;                 /* mean size of the largest of them */
};

static double threshold_of(const struct heap_allocator *a)
{
	double v = facts_fact(a, "mmap_threshold");

	/* musl: src/malloc/mallocng/meta.h, MMAP_THRESHOLD */
	return isnan(v) ? 131052 : v;
}

static int is_large(const struct facts_site *s, const struct heap_allocator *a)
{
	return s->size >= threshold_of(a) && s->bytes_per_s > 0;
}

static void measure(const struct facts *f, const struct heap_allocator *a, struct churn *c)
{
	double grown = facts_rate(f, offsetof(struct facts_moment, rss)) / PAGE;

	*c = (struct churn){ .faults = facts_rate(f, offsetof(struct facts_moment, minor_faults)), .large = f->agent_group.known ? 0 : NAN };
	/* of the time that it got: a machine that is short of processors does not cure it */
	double cpu = facts_cpu(f);
	c->of_cpu = cpu > 0 ? c->faults / cpu : c->faults;
	c->again = c->faults > 0 ? 1 - fmax(grown, 0) / c->faults : 0;
	for (size_t i = 0; f->agent_group.known && i < f->nsites; i++) {
		if (!is_large(&f->site[i], a)) continue;
		c->large += f->site[i].bytes_per_s;
		c->largest = fmax(c->largest, f->site[i].size);
	}
}

static void say_sites(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	char rate[UNITS_MAX], size[UNITS_MAX];

	for (size_t i = 0, n = 0; i < f->nsites && n < SITES; i++) {
		const struct facts_site *s = &f->site[i];
		if (!is_large(s, a)) continue;
		finding_say(out, FINDING_FROM, "%s: %s per second of %s each", s->stack, units_bytes(s->bytes_per_s, rate), units_bytes(s->size, size));
		n++;
	}
}

static void say_glibc(const struct facts *f, struct finding *out, const struct heap_allocator *a, const struct churn *c)
{
	int fixed = facts_fact(a, "mmap_threshold_fixed") == 1;
	char now[UNITS_MAX], trims[UNITS_MAX];
	/* both: setting the one fixes the other at what it was */
	static const struct recipe_tunable trim = { "trim_threshold", "MALLOC_TRIM_THRESHOLD_", TRIM_WANTED };

	units_bytes(threshold_of(a), now);
	units_bytes(facts_fact(a, "trim_threshold"), trims);
	finding_say(out, FINDING_EVIDENCE, "glibc's mmap threshold is %s (%s), its trim threshold %s", now, fixed ? "fixed by a setting" : "adapts itself, up to 32 MiB", trims);
	if (fixed) finding_say(out, FINDING_CAUSE, "a setting (mmap_threshold, trim_threshold, top_pad or mmap_max) has switched off that glibc learns the threshold, so large blocks are mapped and unmapped each time");
	else finding_say(out, FINDING_CAUSE, "blocks above the mmap threshold, or a top that goes above and below the trim threshold, are given back with each free and faulted in anew, page by page");
	if (c->largest > MMAP_THRESHOLD_MAX) {
		finding_say(out, FINDING_EVIDENCE, "blocks of %s are beyond the largest threshold that can be set", units_bytes(c->largest, now));
		recipe_code(out, "keep such a block and use it again, instead of allocating it anew");
		recipe_tunables(f, out, (struct recipe_tunable[]){ { "mmap_max", "MALLOC_MMAP_MAX_", "0" }, trim }, 2);
		recipe_compare(f, out, "MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=" TRIM_WANTED);
	} else {
		recipe_tunables(f, out, (struct recipe_tunable[]){ { "mmap_threshold", "MALLOC_MMAP_THRESHOLD_", "33554432" }, trim }, 2);
		recipe_compare(f, out, "MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=" TRIM_WANTED);
	}
}

/* Whose setting it is that they give back at once: one that was set shorter than the default. */
static void say_other(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	double decay = facts_fact(a, "dirty_decay");

	if (!strncmp(a->name, "musl", 4)) finding_say(out, FINDING_CAUSE, "musl maps each block from 128 KiB on by itself, and unmaps it when it is freed; there is no setting");
	else finding_say(out, FINDING_CAUSE, "%s gives back what is free, and it is needed again at once", a->name);
	recipe_code(out, "keep large blocks and use them again, instead of allocating them anew");
	if (decay >= 0 && decay < JEMALLOC_DEFAULT_MS) {
		finding_say(out, FINDING_EVIDENCE, "dirty_decay_ms is %.0f (default: 10000)", decay);
		recipe_jemalloc(f, out, a, "dirty_decay_ms:10000");
	}
	if (!strcmp(a->name, "tcmalloc")) recipe_variable(f, out, "TCMALLOC_RELEASE_RATE", "0.1");
	if (!strcmp(a->name, "mimalloc")) recipe_mimalloc_delay(f, out, a, "1000");
	if (!strncmp(a->name, "musl", 4)) recipe_replace(f, out, NULL);
	recipe_compare(f, out, NULL);
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	struct churn c;
	char faults[UNITS_MAX], rate[UNITS_MAX], bytes[UNITS_MAX];

	if (!a) return RULE_NO;
	measure(f, a, &c);
	if (isnan(c.faults)) return finding_missing(out, "its page faults could not be counted");
	if (c.faults < FAULTS_MIN || c.of_cpu < FAULTS_OF_CPU || c.again < again_min) return RULE_NO;
	/* faults may be for files, or copies after a fork: only memory that is given back, or an agent, says that it is malloc's doing */
	int by_agent = c.large >= c.again * c.faults * PAGE / 2;
	if (!by_agent && isnan(f->shrinks)) return finding_missing(out, "%s page faults per second; whether memory is given back could not be seen", units_count(c.faults, faults));
	if (!by_agent && f->shrinks < shrinks_min) return RULE_NO;
	finding_headline(out, "%s: %s page faults per second for memory that it had before", a->name, units_count(c.faults, faults));
	finding_say(out, FINDING_EVIDENCE, "%s faults per second of processor time (threshold: 20k, and 1k per second), %.0f %% of them without growth of RSS (80 %%): %s per second",
	            units_count(c.of_cpu, rate), c.again * 100, units_bytes(c.again * c.faults * PAGE, bytes));
	if (!isnan(f->shrinks)) finding_say(out, FINDING_EVIDENCE, "in %.0f %% of looks a millisecond apart its resident memory had become less (threshold: 2 %%)", f->shrinks * 100);
	if (by_agent) finding_say(out, FINDING_EVIDENCE, "blocks beyond the mmap threshold are allocated at %s per second", units_bytes(c.large, bytes));
	say_sites(f, out, a);
	if (!strcmp(a->name, "glibc")) say_glibc(f, out, a, &c);
	else say_other(f, out, a);
	finding_say(out, FINDING_EFFECT, "%.2f processors or more are won: a fault costs half a microsecond at least; single calls no longer take a hundred times as long as others", c.faults * c.again * fault_s);
	out->certainty = by_agent ? FINDING_CERTAIN : FINDING_LIKELY;
	out->cost_threads = c.faults * c.again * fault_s;
	return RULE_YES;
}

const struct rule rule_mmap_churn = {
	.name = "mmap-churn",
	.kind = "CHURN",
	.title = "large blocks are mapped, faulted in and unmapped each time",
	.explanation = "glibc gives blocks from M_MMAP_THRESHOLD on (128 KiB at first) a mapping of their own, and returns the top of its heap when that exceeds M_TRIM_THRESHOLD; musl maps "
		"what is from 128 KiB on. Each time the memory is used again the kernel clears and maps it page by page: most calls are fast, some take a hundred times as long. glibc adapts its "
		"thresholds when a mapped block is freed, up to 32 MiB, unless one of them has been set: then it never does. What tells is page faults without growth of the resident memory, "
		"while that becomes less again and again; with an agent, the sites that allocate such blocks. A program that maps and unmaps by itself looks the same without an agent, so it is "
		"likely only. Copies after a fork and file pages fault too, but give nothing back. Other allocators do it when they are told to give back at once (dirty_decay_ms:0, PURGE_DELAY=0).",
	.threshold = "20000 minor faults per second of processor time, and 1000 per second, 80 % of them without growth; less resident memory than before in 2 % of looks a millisecond apart, or an agent that saw half of these bytes allocated in blocks beyond the threshold",
	.source = "mallopt(3), M_MMAP_THRESHOLD and M_TRIM_THRESHOLD; glibc, malloc/malloc.c, \"M_MMAP_THRESHOLD_DYNAMIC\"; musl, src/malloc/mallocng/malloc.c",
	.test = test,
};
