/* rule_metadata.c: what an allocator needs for its own book-keeping is much. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

/* Allocators need 1 to 3 % for themselves as a rule. */
static const double share_min = 0.1;
#define BYTES_MIN (16.0 * (1 << 20))

static void say_glibc(const struct heap_allocator *a, struct finding *out)
{
	finding_say(out, FINDING_EVIDENCE, "%.3g million live blocks of %.0f bytes on average, with 8 bytes of header each", (double)a->live_objects / 1e6, (double)a->live_bytes / (double)a->live_objects);
	finding_say(out, FINDING_CAUSE, "each block has a header of 8 bytes, whatever its size, and these blocks are small");
	recipe_code(out, "put several of these objects into one block (an array, a pool)");
}

static void say_jemalloc(const struct facts *f, struct finding *out, const struct heap_allocator *a)
{
	unsigned wanted = f->cpus ? f->cpus : 1;
	char options[48];

	finding_say(out, FINDING_EVIDENCE, "%zu arenas, each with tables of its own, for %u threads on %u processors", a->narenas, f->threads, f->cpus);
	finding_say(out, FINDING_CAUSE, "each arena and each thread's cache has tables of its own, and each extent a record");
	if (a->narenas > wanted) {
		snprintf(options, sizeof options, "narenas:%u", wanted);
		recipe_jemalloc(f, out, a, options);
	}
	recipe_code(out, "larger blocks, or fewer threads, need less of it");
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	const struct heap_allocator *a = f->heap.nallocators && f->heap.allocator[0].in_use ? &f->heap.allocator[0] : NULL;
	int glibc = a && !strcmp(a->name, "glibc");
	char text[UNITS_MAX], of[UNITS_MAX];

	if (!a) return RULE_NO;
	/* resident; glibc's headers are within its blocks, and counted where blocks are */
	double bytes = glibc ? facts_bytes(a->metadata_bytes) : facts_ledger(f, a->name, "metadata"), live = facts_bytes(a->live_bytes);
	if (isnan(bytes) || isnan(live) || bytes < BYTES_MIN || bytes < share_min * (live + bytes)) return RULE_NO;
	if (glibc && (!a->live_objects || a->live_objects == HEAP_UNKNOWN)) return RULE_NO;
	units_bytes(bytes, text);
	finding_headline(out, "%s: %s for its own book-keeping, beside %s of live memory", a->name, text, units_bytes(live, of));
	finding_say(out, FINDING_EVIDENCE, "%s of metadata for %s live (threshold: 16 MiB, and 10 %% of both)", text, units_bytes(live, of));
	if (glibc) say_glibc(a, out);
	else if (!strcmp(a->name, "jemalloc")) say_jemalloc(f, out, a);
	else {
		finding_say(out, FINDING_CAUSE, "it keeps records for each run of pages, and caches for each thread, whatever is in them; they do not shrink");
		recipe_code(out, "put several small objects into one block; keep the number of threads down");
	}
	finding_say(out, FINDING_EFFECT, "up to %s less", text);
	finding_say(out, FINDING_CHECK, "alloctop heap --full %d: the row \"metadata\"", (int)f->id.pid);
	out->certainty = FINDING_LIKELY;
	out->cost_bytes = bytes;
	return RULE_YES;
}

const struct rule rule_metadata = {
	.name = "metadata",
	.kind = "WASTE",
	.title = "an allocator's own book-keeping is large",
	.explanation = "Allocators need 1 to 3 % of the live memory for themselves as a rule. More than a tenth has a reason that can be named: glibc has 8 bytes in front of each block, which is much for blocks of 24 bytes; "
		"jemalloc has some 100 KiB for each arena and thread, and 2 MiB where huge pages are always given; and metadata never shrinks, so after a peak it may be large for what is left. Of glibc it is "
		"known only where every block was counted, and the rule is silent else.",
	.threshold = "16 MiB, and a tenth of live memory and metadata together",
	.source = "jemalloc(3), stats.metadata; jemalloc 5.3 TUNING.md, \"narenas\"; glibc, malloc/malloc.c, \"Minimum overhead per allocated chunk\"",
	.test = test,
};
