/* rules_retained.c: memory that allocators and the kernel keep: each rule on both sides of its threshold, and none for another's disease. Of 100 MiB
 * resident 32 MiB and a fifth are the threshold. */
#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;
static struct heap_thread thread[2];

static void fresh(const char *allocator, const char *version)
{
	facts_unmake(&m);
	facts_make(&m, allocator, version);
	memset(thread, 0, sizeof thread);
	m.f.heap.thread = thread;
	m.f.heap.nthreads = 1;
	snprintf(thread[0].name, sizeof thread[0].name, "served");
}

static void fact(const char *name, double v) { heap_add_fact(&m.allocator[0], name, v, ""); }

/* The same process with so many MiB free at its end, and before. */
static enum rule_answer jemalloc(const char *rule, double end, double before, double decay, double overdue)
{
	fresh("jemalloc", "5.3.0");
	facts_row(&m, "jemalloc: free, trimmable", end, before);
	fact("dirty_decay", decay);
	fact("muzzy_decay", 0);
	fact("dirty_overdue", overdue * FACTS_MIB);
	return facts_ask(&m, rule);
}

static void jemalloc_retention(void)
{
	static const char rule[] = "jemalloc-retention";

	ok(jemalloc(rule, 40, 40, -1, 0) == RULE_YES && facts_found.certainty == FINDING_CERTAIN, "%s: never given back", rule);
	ok(facts_says(FINDING_EVIDENCE, "40.0M") && facts_says(FINDING_EVIDENCE, "dirty_decay_ms is -1") && facts_says(FINDING_DO, "MALLOC_CONF=dirty_decay_ms:1000"), "%s: what it says", rule);
	ok(facts_found.cost_bytes == 40.0 * FACTS_MIB, "%s: what it costs", rule);
	ok(jemalloc(rule, 31.9, 31.9, -1, 0) == RULE_NO, "%s: below 32 MiB", rule);
	ok(jemalloc(rule, 40, 31, -1, 0) == RULE_NO, "%s: at the end only", rule);
	ok(jemalloc(rule, 40, 40, 10000, 0) == RULE_UNKNOWN, "%s: on its way out, for all that is known", rule);
	ok(strstr(facts_found.headline, "--for 21"), "%s: how long to watch", rule);
	m.f.watch_s = 21;
	ok(facts_ask(&m, rule) == RULE_YES && facts_found.certainty == FINDING_POSSIBLE, "%s: still there after twice the decay", rule);
	ok(jemalloc(rule, 40, 40, 1000, 40) == RULE_NO, "%s: overdue is another rule's", rule);
	jemalloc(rule, 40, 40, -1, 0);
	m.f.rss = 201.0 * FACTS_MIB;
	ok(facts_ask(&m, rule) == RULE_NO, "%s: below a fifth", rule);
	fresh("jemalloc", "5.3.0");
	facts_row(&m, "jemalloc: free, trimmable", 40, 40);
	ok(facts_ask(&m, rule) == RULE_UNKNOWN, "%s: decay not known", rule);
}

static void jemalloc_background(void)
{
	static const char rule[] = "jemalloc-background";

	ok(jemalloc(rule, 40, 40, 1000, 40) == RULE_YES && facts_says(FINDING_DO, "MALLOC_CONF=background_thread:true"), "%s", rule);
	snprintf(thread[0].name, sizeof thread[0].name, "jemalloc_bg_thd");
	ok(facts_ask(&m, rule) == RULE_NO, "%s: there is a thread", rule);
	ok(jemalloc(rule, 40, 40, 1000, 31) == RULE_NO, "%s: little is overdue", rule);
	ok(jemalloc(rule, 30, 30, 1000, 400) == RULE_NO, "%s: most was never touched", rule);
}

static void lazy_free(void)
{
	fresh("glibc", "2.36");
	m.f.lazy_free = 32.0 * FACTS_MIB;
	ok(facts_ask(&m, "lazy-free") == RULE_YES && facts_says(FINDING_DO, "smaps_rollup"), "lazy-free");
	m.f.lazy_free = 31.9 * FACTS_MIB;
	ok(facts_ask(&m, "lazy-free") == RULE_NO, "lazy-free: below 32 MiB");
	m.f.lazy_free = NAN;
	ok(facts_ask(&m, "lazy-free") == RULE_NO, "lazy-free: not known is not found");
	/* what is muzzy and lazily freed is not jemalloc's retention as well */
	jemalloc("lazy-free", 40, 40, -1, 0);
	fact("muzzy", 40.0 * FACTS_MIB);
	m.f.lazy_free = 40.0 * FACTS_MIB;
	ok(facts_ask(&m, "lazy-free") == RULE_YES && facts_ask(&m, "jemalloc-retention") == RULE_NO, "lazy-free: muzzy pages are found once");
}

static void page_heaps(void)
{
	fresh("tcmalloc", "2.10");
	facts_row(&m, "tcmalloc: free, trimmable", 40, 35);
	ok(facts_ask(&m, "tcmalloc-release") == RULE_YES && facts_says(FINDING_DO, "TCMALLOC_RELEASE_RATE=10") && facts_found.cost_bytes == 35.0 * FACTS_MIB, "tcmalloc-release");
	ok(facts_ask(&m, "mimalloc-purge") == RULE_NO && facts_ask(&m, "jemalloc-retention") == RULE_NO, "tcmalloc-release: nobody else's");
	fresh("tcmalloc", "2.10");
	facts_row(&m, "tcmalloc: free, trimmable", 40, 20);
	ok(facts_ask(&m, "tcmalloc-release") == RULE_NO, "tcmalloc-release: it came just now");
	fresh("mimalloc", "2.0.7 to 2.1.2");
	facts_row(&m, "mimalloc: free, trimmable", 40, 40);
	ok(facts_ask(&m, "mimalloc-purge") == RULE_YES && facts_says(FINDING_DO, "MIMALLOC_PURGE_DELAY=0") && facts_says(FINDING_DO, "MIMALLOC_DECOMMIT_DELAY=0"), "mimalloc-purge");
	fresh("mimalloc", "2.1.9 to 2.4");
	facts_row(&m, "mimalloc: free, trimmable", 10, 10);
	ok(facts_ask(&m, "mimalloc-purge") == RULE_NO, "mimalloc-purge: little");
}

static enum rule_answer abandoned(const char *version, double mib)
{
	fresh("mimalloc", version);
	facts_row(&m, "mimalloc: free, by its counters", 50, 50);
	fact("pages", 1000);
	fact("pages_abandoned", 900);
	fact("abandoned", 80.0 * FACTS_MIB);
	snprintf(m.arena[0].name, sizeof m.arena[0].name, "abandoned pages");
	m.arena[0].free = (uint64_t)(mib * FACTS_MIB);
	return facts_ask(&m, "mimalloc-abandoned");
}

static void mimalloc_abandoned(void)
{
	ok(abandoned("3.1", 33) == RULE_YES && facts_says(FINDING_DO, "MIMALLOC_PAGE_RECLAIM_ON_FREE=1"), "mimalloc-abandoned, 3");
	ok(abandoned("2.1.9 to 2.4", 33) == RULE_YES && facts_says(FINDING_DO, "MIMALLOC_ABANDONED_RECLAIM_ON_FREE=1"), "mimalloc-abandoned, 2.1");
	ok(abandoned("2.0.7 to 2.1.2", 33) == RULE_YES && facts_says(FINDING_DO, "update"), "mimalloc-abandoned, 2.0");
	ok(abandoned("2.1.9 to 2.4", 31) == RULE_NO, "mimalloc-abandoned: little");
	m.arena[0].free = 40 * FACTS_MIB;
	snprintf(m.arena[0].name, sizeof m.arena[0].name, "pages of thread 7");
	ok(facts_ask(&m, "mimalloc-abandoned") == RULE_NO, "mimalloc-abandoned: a thread's own");
}

static void thread_caches(void)
{
	fresh("glibc", "2.36");
	m.allocator[0].cached_bytes = 33 * FACTS_MIB;
	thread[0].cached = 30 * FACTS_MIB;
	ok(facts_ask(&m, "thread-caches") == RULE_YES && facts_says(FINDING_DO, "glibc.malloc.tcache_count=7") && facts_says(FINDING_EVIDENCE, "served"), "thread-caches, by count");
	fact("tcache_count", 7);
	ok(facts_ask(&m, "thread-caches") == RULE_YES && facts_says(FINDING_DO, "tcache_count=2"), "thread-caches: one that nobody has raised is not set to what it is");
	m.allocator[0].cached_bytes = 31 * FACTS_MIB;
	ok(facts_ask(&m, "thread-caches") == RULE_NO, "thread-caches: little");
	m.allocator[0].cached_bytes = HEAP_UNKNOWN;
	ok(facts_ask(&m, "thread-caches") == RULE_NO, "thread-caches: not known");
	fresh("jemalloc", "5.2.1");
	facts_row(&m, "jemalloc: cached by threads", 40, 40);
	ok(facts_ask(&m, "thread-caches") == RULE_YES && facts_says(FINDING_DO, "MALLOC_CONF=lg_tcache_max:12"), "thread-caches: jemalloc before 5.3 calls it otherwise");
	fresh("tcmalloc", "2.10");
	facts_row(&m, "tcmalloc: cached by threads", 40, 40);
	ok(facts_ask(&m, "thread-caches") == RULE_YES && facts_says(FINDING_DO, "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES"), "thread-caches, by the ledger");
}

/* So many MiB in huge pages; resident in free extents; of these not given back. */
static enum rule_answer huge(double mib, double free_resident, double kept)
{
	fresh("jemalloc", "5.3.0");
	snprintf(m.f.thp, sizeof m.f.thp, "always");
	m.f.huge = mib * FACTS_MIB;
	facts_row(&m, "jemalloc: free, trimmable", free_resident, free_resident);
	fact("dirty", kept * FACTS_MIB);
	fact("muzzy", 0);
	return facts_ask(&m, "huge-pages");
}

static void huge_pages(void)
{
	ok(huge(100, 40, 7) == RULE_YES && facts_says(FINDING_DO, "transparent_hugepage/enabled") && facts_says(FINDING_DO, "thp:never") && facts_found.cost_bytes == 33.0 * FACTS_MIB, "huge-pages");
	ok(huge(100, 40, 9) == RULE_NO, "huge-pages: most was not given back");
	ok(huge(31, 60, 0) == RULE_NO, "huge-pages: few of them");
	huge(100, 40, 7);
	m.f.huge = NAN;
	ok(facts_ask(&m, "huge-pages") == RULE_UNKNOWN, "huge-pages: the kernel does not say");
	fresh("tcmalloc", "2.10");
	m.f.huge = 100.0 * FACTS_MIB;
	facts_row(&m, "tcmalloc: free, trimmable", 40, 40);
	fact("pageheap_free", 0);
	ok(facts_ask(&m, "huge-pages") == RULE_YES, "huge-pages: tcmalloc");
	fresh("glibc", "2.36");
	m.f.huge = 100.0 * FACTS_MIB;
	facts_row(&m, "glibc: free, trimmable", 40, 40);
	ok(facts_ask(&m, "huge-pages") == RULE_NO, "huge-pages: glibc does not say");
}

int main(void)
{
	jemalloc_retention();
	jemalloc_background();
	lazy_free();
	page_heaps();
	mimalloc_abandoned();
	thread_caches();
	huge_pages();
	return done();
}
