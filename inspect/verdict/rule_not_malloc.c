/* rule_not_malloc.c: memory that no allocator has: stacks, mappings, shared memory, generated code, a runtime's own heap. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/ledger.h"
#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/growth.h"
#include "inspect/verdict/recipe.h"

static const double share_of_growth = 0.6, near_limit = 0.8, share_of_rss = 0.5, stacks_share = 0.3, stacks_bytes = 64 << 20;
static const char of_none[] = "anonymous, of no allocator", stacks[] = "thread stacks";

/* The rows that are no allocator's, by what they are, and what can be done about each. */
static const struct { const char *row; int exists; /* whether it is touched or not */ const char *cause, *advice; } known[] = {
	{ stacks, 0, "each thread touches its own stack, and what was touched once stays", "have fewer threads, or smaller stacks: ulimit -s before the start, pthread_attr_setstacksize in the program" },
	{ "other mapped files", 1, "files that are mapped count as resident while they are in the page cache: the kernel takes clean pages back when it needs them", "nothing, unless it is written to: munmap or madvise(MADV_DONTNEED) what is no longer read" },
	{ "shared memory", 1, "shared memory (shm, memfd, tmpfs, a database's buffers) stays until it is removed, and counts in each process that touched it", "the size is a setting of the program (shared_buffers and the like)" },
	{ "generated code", 0, "a JIT compiler keeps the code it makes", "limit its code cache (JVM: -XX:ReservedCodeCacheSize; node: --jitless or --max-lazy)" },
	{ "program and library files", 1, "the program's own data (.data, .bss) and code", "static tables: their size is in the program" },
	{ of_none, 0, "memory that the program maps itself: a runtime's heap, buffers made with mmap, a GPU's driver, huge blocks of an allocator that is not known", "find who maps it: strace -f -k -e trace=mmap,munmap,mremap,brk" },
};

static const char *runtime_advice(const char *runtime)
{
	static const struct { const char *runtime, *advice; } table[] = {
		{ "node", "V8's heap: --max-old-space-size=MB bounds it; a heap snapshot (--heapsnapshot-signal=SIGUSR2) says what is in it" },
		{ "java", "the JVM's heap: -Xmx bounds it; -XX:NativeMemoryTracking=summary and jcmd PID VM.native_memory say what the rest is" },
		{ "python", "python's own arenas for objects up to 512 bytes: tracemalloc says what is in them; PYTHONMALLOC=malloc puts them where alloctop sees each" },
		{ "ruby", "ruby's heap pages: ObjectSpace and GC.stat say what is in them" },
		{ "php", "PHP's own arenas: memory_limit bounds them" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(table[i].runtime, runtime)) return table[i].advice;
	return NULL;
}

static int is_allocators(const char *row) { return strstr(row, ": ") != NULL; }

static void advise(const struct facts *f, const char *row, struct finding *x)
{
	const char *runtime = f->id.go ? "Go's heap: GOMEMLIMIT and GOGC bound it; pprof says what is in it" : runtime_advice(f->id.runtime);

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(known[i].row, row)) continue;
		finding_say(x, FINDING_CAUSE, "%s", known[i].cause);
		finding_say(x, FINDING_DO, "%s", !strcmp(row, of_none) && runtime ? runtime : known[i].advice);
	}
	finding_say(x, FINDING_EFFECT, "no setting of malloc's changes it");
	finding_say(x, FINDING_CHECK, "alloctop heap --by map %d", (int)f->id.pid);
}

static double mapped(const struct heap *h, const char *row)
{
	double sum = 0;

	for (size_t i = 0; i < h->nmaps; i++)
		if (!strcmp(h->map[i].what, row)) sum += (double)(h->map[i].end - h->map[i].start);
	return sum;
}

/* A page of a file, or of memory that others share, is there before this process looks at it: a database that reads on in its buffers takes no
   memory by that. It does when more is mapped. */
static int only_touched(const struct facts *f, const char *row, double by)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].exists && !strcmp(known[i].row, row)) return mapped(&f->heap, row) - mapped(&f->before, row) < by / 2;
	return 0;
}

/* The row that grew most from the beginning to the end. */
static const struct ledger_row *grown_most(const struct facts *f, double *by)
{
	const struct ledger_row *most = NULL;

	*by = 0;
	for (size_t i = 0; i < f->heap.ledger.nrows; i++) {
		const struct ledger_row *r = &f->heap.ledger.row[i];
		double grown = (double)r->bytes - (double)ledger_bytes(&f->before.ledger, r->name);
		if (!is_allocators(r->name) && grown > *by && !only_touched(f, r->name, grown)) *by = grown, most = r;
	}
	return most;
}

static enum rule_answer growing(const struct facts *f, struct finding *x)
{
	struct growth g;
	double by;
	char rate[UNITS_MAX], rss[UNITS_MAX], live[UNITS_MAX], held[UNITS_MAX], grown[UNITS_MAX];

	growth_of(f, &g);
	if (!g.tested || !g.rss.steady || !f->before.ledger.nrows || isnan(g.other_rise) || g.other_rise < share_of_growth * g.rss.rise) return RULE_NO;
	const struct ledger_row *r = grown_most(f, &by);
	if (!r || by < share_of_growth * g.rss.rise) return RULE_NO;
	finding_headline(x, "RSS grows by %s/s, and it is not malloc's: %s", units_bytes(g.rss.rise / f->watch_s, rate), r->name);
	finding_say(x, FINDING_EVIDENCE, "in %s RSS rose by %s, live memory by %s, free memory held by %s; p = %.1g", units_seconds(f->watch_s, rate), units_bytes(g.rss.rise, rss),
	            units_bytes(fmax(g.live.rise, 0), live), units_bytes(fmax(g.held.rise, 0), held), g.rss.trend.p);
	finding_say(x, FINDING_EVIDENCE, "%s grew by %s, to %s (threshold: %.0f %% of the growth)", r->name, units_bytes(by, grown), units_bytes((double)r->bytes, held), 100 * share_of_growth);
	growth_from_faults(f, &g, FINDING_FROM, x);
	advise(f, r->name, x);
	x->certainty = f->uptime_s < 60 ? FINDING_POSSIBLE : FINDING_LIKELY;
	x->cost_bytes = g.rss.rise / f->watch_s * 3600;
	return RULE_YES;
}

/* Large as it stands: only where that hurts, as most programs that are well are large in this way. */
static enum rule_answer large(const struct facts *f, struct finding *x)
{
	const struct ledger_row *most = NULL;
	double other = 0, rss = (double)f->heap.ledger.rss;
	char a[UNITS_MAX], b[UNITS_MAX], c[UNITS_MAX];

	for (size_t i = 0; i < f->heap.ledger.nrows; i++) {
		const struct ledger_row *r = &f->heap.ledger.row[i];
		if (is_allocators(r->name)) continue;
		other += (double)r->bytes;
		if (!most || r->bytes > most->bytes) most = r;
	}
	double in_stacks = facts_ledger(f, NULL, stacks);
	int many = in_stacks >= stacks_bytes && in_stacks >= stacks_share * rss, full = f->memory_limit > 0 && rss >= near_limit * f->memory_limit && other >= share_of_rss * rss;
	if (!most || (!many && !full)) return RULE_NO;
	if (many) {
		finding_headline(x, "%s of %u threads' stacks are resident, %.0f %% of RSS: not malloc's", units_bytes(in_stacks, a), f->threads, 100 * in_stacks / rss);
		finding_say(x, FINDING_EVIDENCE, "threshold: 64M and %.0f %% of RSS", 100 * stacks_share);
		advise(f, stacks, x);
		x->cost_bytes = in_stacks;
	} else {
		finding_headline(x, "%.0f %% of RSS is not malloc's, and RSS is near the memory limit", 100 * other / rss);
		finding_say(x, FINDING_EVIDENCE, "RSS %s of at most %s (threshold %.0f %%); the largest part: %s, %s", units_bytes(rss, a), units_bytes(f->memory_limit, b), 100 * near_limit, most->name,
		            units_bytes((double)most->bytes, c));
		advise(f, most->name, x);
		x->cost_bytes = other;
	}
	x->certainty = FINDING_CERTAIN;
	return RULE_YES;
}

static enum rule_answer test(const struct facts *f, struct finding *x)
{
	if (!f->heap_group.known) return finding_missing(x, "the heap could not be read: %s", f->heap_group.why);
	return growing(f, x) == RULE_YES ? RULE_YES : large(f, x);
}

const struct rule rule_not_malloc = {
	.name = "not-malloc",
	.kind = "NOT-MALLOC",
	.title = "memory that no malloc has anything to do with",
	.explanation = "Resident memory is more than malloc: stacks of threads, mapped files, shared memory, code made by a compiler at run time, heaps that a language's runtime maps itself. The ledger has a row "
	               "for each. When resident memory grows and neither live nor held memory does, the row that grew says what it is; settings of an allocator do nothing for it. Files and shared memory grow only "
	               "where more of them is mapped: who touches page after page of what is mapped already, as a database does in its buffers, uses no more memory than before. Without growth it is named "
	               "only where it hurts: thread stacks that are a large part, or a process near the limit of its control group.",
	.threshold = "RSS grows (see leak: the same test) and one row of the ledger that is no allocator's by at least 60 % of that, files and shared memory only if half as much more is mapped; or thread stacks of at least 64M and 30 % of RSS; or RSS of at least 80 % of the memory limit, half of it in no allocator",
	.source = "proc_pid_smaps(5), pthread_attr_setstacksize(3), cgroups(7)",
	.test = test,
};
