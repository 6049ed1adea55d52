/* rule_huge_pages.c: transparent huge pages make resident again what an allocator has given back. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"
#include "inspect/verdict/retained.h"

/* Resident memory of extents that their allocator has given back: what it still counts as its own is not among them. NAN where that is not told apart. */
static double given_back(const struct facts *f, const struct heap_allocator *a)
{
	double resident = facts_steady(f, a->name, "free, trimmable"), kept = NAN;

	if (!strcmp(a->name, "jemalloc")) kept = facts_fact(a, "dirty") + facts_fact(a, "muzzy");
	if (!strcmp(a->name, "tcmalloc")) kept = facts_fact(a, "pageheap_free");
	return fdim(resident, kept);
}

static void say_do(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *jemalloc = facts_allocator(f, "jemalloc");

	if (!strcmp(f->thp, "always")) {
		recipe_code(out, "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled: huge pages only for who asks for them, on the whole machine");
		recipe_code(out, "or, for this program alone: prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) in it or in what starts it");
	}
	if (jemalloc) recipe_jemalloc(f, out, jemalloc, "thp:never");
	recipe_code(out, "echo 0 >/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none keeps the kernel from filling holes up to huge pages");
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	double unused = a ? given_back(f, a) : NAN;
	char huge[UNITS_MAX], text[UNITS_MAX];

	if (isnan(unused) || !retained_matters(f, unused)) return RULE_NO;
	if (isnan(f->huge)) return finding_missing(out, "how much of it is in huge pages the kernel does not say");
	/* it cannot be more than is in huge pages */
	unused = fmin(unused, f->huge);
	if (!retained_matters(f, unused)) return RULE_NO;
	units_bytes(unused, text);
	finding_headline(out, "huge pages: %s that %s has given back are resident, %.0f %% of RSS", text, a->name, retained_percent(f, unused));
	finding_say(out, FINDING_EVIDENCE, "%s of extents that %s has given back are resident at both ends of the watch (threshold: " RETAINED_WORDS ")", text, a->name);
	finding_say(out, FINDING_EVIDENCE, "%s of anonymous memory are in huge pages; transparent huge pages: %s", units_bytes(f->huge, huge), *f->thp ? f->thp : "setting not known");
	finding_say(out, FINDING_CAUSE, "the kernel joins small pages to huge ones in the background, and fills what was given back between them with zeros");
	say_do(f, out);
	finding_say(out, FINDING_EFFECT, "RSS falls by up to %s; what is used needs more TLB entries, which may cost a few percent of speed", text);
	finding_say(out, FINDING_CHECK, "alloctop heap %d: \"huge pages\"", (int)f->id.pid);
	out->certainty = FINDING_CERTAIN;
	out->cost_bytes = unused;
	return RULE_YES;
}

const struct rule rule_huge_pages = {
	.name = "huge-pages",
	.kind = "HUGE-PAGES",
	.title = "huge pages make resident what has been given back",
	.explanation = "With transparent huge pages the first touch of 4 KiB makes 2 MiB resident, and khugepaged joins small pages to huge ones where one in 512 is in use (max_ptes_none), so that memory that "
		"an allocator has given back with madvise becomes resident again, full of zeros. jemalloc and tcmalloc know which of their extents they have given back; if these are resident, and huge pages "
		"are in use, that is why. glibc and musl do not keep such memory, and mimalloc's is not told apart: of them nothing is said. Free memory that an allocator has not given back is not the huge "
		"pages' fault, though these make it cheaper to keep.",
	.threshold = "resident in extents that jemalloc or tcmalloc have given back, at both ends of the watch, and at most what is in huge pages: " RETAINED_WORDS,
	.source = "Linux, Documentation/admin-guide/mm/transhuge.rst; proc(5), AnonHugePages; jemalloc(3), opt.thp; prctl(2), PR_SET_THP_DISABLE",
	.test = test,
};
