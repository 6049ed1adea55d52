/* rule_huge_pages.c: transparent huge pages keep resident what the program does not use. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

/* Of the anonymous memory: below half, what is free is more likely to be in small pages. */
static const double huge_min = 0.5;

static void say_do(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *jemalloc = facts_allocator(f, "jemalloc");

	if (!strcmp(f->thp, "always")) {
		recipe_code(out, "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled: huge pages only for who asks for them, on the whole machine");
		recipe_code(out, "or, for this program alone: prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) in it or in what starts it");
	}
	if (jemalloc) recipe_jemalloc(f, out, jemalloc, "thp:never");
	if (facts_allocator(f, "glibc") && facts_env(f, "GLIBC_TUNABLES") && strstr(facts_env(f, "GLIBC_TUNABLES"), "hugetlb=")) recipe_tunable(f, out, "hugetlb", NULL, "0");
	if (facts_allocator(f, "mimalloc")) recipe_variable(f, out, "MIMALLOC_ALLOW_LARGE_OS_PAGES", "0");
	recipe_code(out, "echo 0 >/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none keeps the kernel from filling holes up to huge pages");
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	double unused = f->heap_group.known ? (double)f->heap.ledger.external_free : NAN, all = isnan(f->anonymous) ? f->rss : f->anonymous;
	char huge[UNITS_MAX], text[UNITS_MAX], of[UNITS_MAX];

	if (isnan(f->huge)) return finding_missing(out, "how much of it is in huge pages the kernel does not say");
	if (f->huge < RETAINED_BYTES || !(f->huge >= huge_min * all)) return RULE_NO;
	if (isnan(unused)) return finding_missing(out, "%s are in huge pages; how much of that is used: %s", units_bytes(f->huge, huge), f->heap_group.why);
	/* free memory may be in small pages first */
	unused = fmin(unused, fmax(unused - (all - f->huge), 0));
	if (!retained_matters(f, unused)) return RULE_NO;
	units_bytes(unused, text);
	finding_headline(out, "huge pages: at least %s of them are free memory, %.0f %% of RSS", text, retained_percent(f, unused));
	finding_say(out, FINDING_EVIDENCE, "%s of %s anonymous memory are in huge pages (threshold: 32 MiB and half of it)", units_bytes(f->huge, huge), units_bytes(all, of));
	finding_say(out, FINDING_EVIDENCE, "of what is free in the allocators and resident, %s cannot be in small pages (threshold: " RETAINED_WORDS ")", text);
	finding_say(out, FINDING_EVIDENCE, "transparent huge pages: %s", *f->thp ? f->thp : "setting not known");
	finding_say(out, FINDING_CAUSE, "a huge page is resident as a whole from its first byte to its last, and is not divided when parts of it become free");
	say_do(f, out);
	finding_say(out, FINDING_EFFECT, "RSS falls by up to %s; what is used needs more TLB entries, which may cost a few percent of speed", text);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: \"huge pages\"", (int)f->id.pid);
	out->certainty = FINDING_LIKELY;
	out->cost_bytes = unused;
	return RULE_YES;
}

const struct rule rule_huge_pages = {
	.name = "huge-pages",
	.kind = "HUGE-PAGES",
	.title = "huge pages keep free memory resident",
	.explanation = "With transparent huge pages the first touch of 4 KiB makes 2 MiB resident, and khugepaged joins small pages, holes included. An allocator that gives parts of it back divides the page; one that "
		"does not, because blocks are scattered over it, keeps all of it. redis, mongodb and others advise against it for that reason. AnonHugePages counts what is in huge pages; of the memory that "
		"allocators have free and resident, only what cannot be in the small pages there are is counted against them, so this is the least it can be.",
	.threshold = "32 MiB and half of the anonymous memory in huge pages; free memory that must be in them: " RETAINED_WORDS,
	.source = "Linux, Documentation/admin-guide/mm/transhuge.rst; proc(5), AnonHugePages; jemalloc(3), opt.thp; prctl(2), PR_SET_THP_DISABLE",
	.test = test,
};
