/* rules_busy.c: time that goes into allocation: each rule on both sides of its threshold, and what it says to do. */
#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;
static struct heap_allocator before;

static void fresh(const char *allocator, const char *version)
{
	facts_unmake(&m);
	facts_make(&m, allocator, version);
}

static void fact(const char *name, double v) { heap_add_fact(&m.allocator[0], name, v, ""); }

/* So many faults per second, and MiB of growth in all. */
static void faults(double rate, double grown)
{
	for (size_t i = 0; i < m.f.nseries; i++) {
		m.f.series[i].minor_faults = rate * m.f.series[i].at;
		m.f.series[i].rss += grown * FACTS_MIB * (double)i / (double)(m.f.nseries - 1);
	}
}

static enum rule_answer churn(const char *allocator, double rate, double grown, double shrinks)
{
	fresh(allocator, "2.36");
	if (!strcmp(allocator, "glibc")) {
		fact("mmap_threshold", 131072);
		fact("trim_threshold", 131072);
		fact("mmap_threshold_fixed", 1);
	}
	faults(rate, grown);
	m.f.shrinks = shrinks;
	return facts_ask(&m, "mmap-churn");
}

static void mmap_churn(void)
{
	struct facts_site *s;

	ok(churn("glibc", 20100, 0, 0.03) == RULE_YES && facts_says(FINDING_DO, "MALLOC_MMAP_THRESHOLD_=33554432") && facts_found.certainty == FINDING_LIKELY, "mmap-churn");
	ok(facts_says(FINDING_EVIDENCE, "fixed by a setting"), "mmap-churn: the threshold is fixed");
	ok(churn("glibc", 19900, 0, 0.03) == RULE_NO, "mmap-churn: fewer faults");
	ok(churn("glibc", 20100, 0, 0.01) == RULE_NO, "mmap-churn: nothing is given back");
	/* 20100 faults a second are 785 MiB in 10 s */
	ok(churn("glibc", 20100, 300, 0.03) == RULE_NO, "mmap-churn: growth");
	ok(churn("glibc", 20100, 0, NAN) == RULE_UNKNOWN, "mmap-churn: not seen whether it is given back");
	churn("glibc", 1100, 0, 0.03);
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].user_s /= 25;
	ok(facts_ask(&m, "mmap-churn") == RULE_YES, "mmap-churn: of a process that gets little time");
	faults(900, 0);
	ok(facts_ask(&m, "mmap-churn") == RULE_NO, "mmap-churn: too few to be noticed");
	churn("glibc", 20100, 0, NAN);
	s = facts_site_make(&m, "load");
	s->size = 1 << 20;
	s->bytes_per_s = 20100 * 4096.0;
	ok(facts_ask(&m, "mmap-churn") == RULE_YES && facts_found.certainty == FINDING_CERTAIN && facts_says(FINDING_FROM, "load"), "mmap-churn: by an agent");
	s->size = 64 << 20;
	ok(facts_ask(&m, "mmap-churn") == RULE_YES && facts_says(FINDING_DO, "use it again"), "mmap-churn: beyond any threshold");
	s->size = 1000;
	ok(facts_ask(&m, "mmap-churn") == RULE_UNKNOWN, "mmap-churn: small blocks are not it");
	ok(churn("musl mallocng", 20100, 0, 0.03) == RULE_YES && facts_says(FINDING_CAUSE, "there is no setting"), "mmap-churn: musl");
	fresh("jemalloc", "5.3.0");
	fact("dirty_decay", 0);
	faults(20100, 0);
	m.f.shrinks = 0.03;
	ok(facts_ask(&m, "mmap-churn") == RULE_YES && facts_says(FINDING_DO, "dirty_decay_ms:10000"), "mmap-churn: jemalloc that gives back at once");
}

static enum rule_answer tcache(double used, double full, double held)
{
	struct lock_row *r;

	fresh("glibc", "2.36");
	fact("tcache_count", 7);
	fact("tcache_bins_used", used);
	fact("tcache_bins_full", full);
	r = facts_lock_make(&m, "glibc main arena", 0, 0);
	r->utilisation.value = held;
	return facts_ask(&m, "tcache-overflow");
}

static void tcache_overflow(void)
{
	struct facts_site *s;

	ok(tcache(8, 2, 0.11) == RULE_YES && facts_says(FINDING_DO, "glibc.malloc.tcache_count=512") && facts_found.certainty == FINDING_POSSIBLE, "tcache-overflow");
	ok(tcache(9, 2, 0.11) == RULE_NO, "tcache-overflow: few bins are full");
	ok(tcache(8, 2, 0.09) == RULE_NO, "tcache-overflow: the arenas are quiet");
	ok(tcache(8, 2, LOCK_UNKNOWN) == RULE_NO, "tcache-overflow: nobody saw the arenas");
	m.f.locks_group.known = 0;
	ok(facts_ask(&m, "tcache-overflow") == RULE_UNKNOWN, "tcache-overflow: nobody could see them");
	tcache(8, 2, 0.11);
	s = facts_site_make(&m, "batch");
	s->objects_per_s = 1e6;
	s->remote_share = 0.4;
	ok(facts_ask(&m, "tcache-overflow") == RULE_YES && facts_found.certainty == FINDING_LIKELY, "tcache-overflow: most are freed by who allocated them");
	s->size = 1033;
	ok(facts_ask(&m, "tcache-overflow") == RULE_NO, "tcache-overflow: too large for it");
	s->size = 1000;
	s->remote_share = 0.6;
	ok(facts_ask(&m, "tcache-overflow") == RULE_NO, "tcache-overflow: freed by others");
}

static void jemalloc_bins(void)
{
	fresh("jemalloc", "5.3.0");
	facts_lock_make(&m, "jemalloc arena 0 bin 64 B", 0.03, 0);
	facts_lock_make(&m, "jemalloc arena 0 bin 128 B", 0.03, 0);
	ok(facts_ask(&m, "jemalloc-bins") == RULE_YES && facts_says(FINDING_DO, "narenas:16") && facts_found.cost_threads > 0.059, "jemalloc-bins: sums up");
	m.f.cpus = 1, m.f.threads = 1, m.f.nlocks = 1;
	ok(facts_ask(&m, "jemalloc-bins") == RULE_NO, "jemalloc-bins: little waiting");
	m.f.threads = 4;
	m.row[0].lost_s_per_s.value = 0.05;
	facts_variable(&m, "MALLOC_CONF", "tcache:false");
	ok(facts_ask(&m, "jemalloc-bins") == RULE_YES && facts_says(FINDING_DO, "MALLOC_CONF=tcache:true"), "jemalloc-bins: caches are off");
	/* nobody watched the locks: its own counters do */
	m.f.nlocks = 0;
	ok(facts_ask(&m, "jemalloc-bins") == RULE_UNKNOWN, "jemalloc-bins: not known");
	fact("bin_lock_wait", 3);
	before = m.allocator[0];
	before.fact[0].value = 2;
	m.f.before.allocator = &before;
	m.f.before.nallocators = 1;
	ok(facts_ask(&m, "jemalloc-bins") == RULE_YES && fabs(facts_found.cost_threads - 0.1) < 1e-9, "jemalloc-bins: by its own counters");
}

static void tcmalloc(void)
{
	struct lock_row *list, *heap;

	fresh("tcmalloc", "2.10");
	list = facts_lock_make(&m, "tcmalloc central list 8 (64 B)", 0.06, 0);
	heap = facts_lock_make(&m, "tcmalloc page heap", 0.01, 0);
	list->contended.value = heap->contended.value = 0.01;
	ok(facts_ask(&m, "tcmalloc-thread-cache") == RULE_YES && facts_says(FINDING_DO, "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES=67108864") && facts_says(FINDING_DO, "TCMALLOC_TRANSFER_NUM_OBJ=1024"), "tcmalloc-thread-cache");
	ok(facts_ask(&m, "tcmalloc-page-heap") == RULE_NO, "tcmalloc-page-heap: little waiting");
	list->lost_s_per_s.value = 0.04;
	heap->lost_s_per_s.value = LOCK_UNKNOWN;
	heap->contended.value = 0.06;
	ok(facts_ask(&m, "tcmalloc-thread-cache") == RULE_NO, "tcmalloc-thread-cache: little waiting");
	facts_variable(&m, "TCMALLOC_AGGRESSIVE_DECOMMIT", "t");
	ok(facts_ask(&m, "tcmalloc-page-heap") == RULE_YES && facts_says(FINDING_DO, "TCMALLOC_AGGRESSIVE_DECOMMIT=f"), "tcmalloc-page-heap: by its word alone");
	m.f.locks_group.known = 0;
	ok(facts_ask(&m, "tcmalloc-page-heap") == RULE_UNKNOWN && facts_ask(&m, "tcmalloc-thread-cache") == RULE_UNKNOWN, "tcmalloc's locks: not known");
}

static void sites(void)
{
	struct facts_site *s;

	fresh("glibc", "2.36");
	ok(facts_ask(&m, "hot-sites") == RULE_UNKNOWN && facts_ask(&m, "remote-frees") == RULE_UNKNOWN, "without an agent nobody knows sites");
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].user_s /= 200;
	ok(facts_ask(&m, "hot-sites") == RULE_NO && facts_ask(&m, "remote-frees") == RULE_NO, "but of half a percent of a processor none can be hot");
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].user_s *= 200;
	s = facts_site_make(&m, "parse");
	s->objects_per_s = 210000;
	s->life_s = 0.0009;
	s->freed_share = 0.95;
	ok(facts_ask(&m, "hot-sites") == RULE_YES && facts_says(FINDING_FROM, "parse") && !strncmp(facts_found.headline, "parse()", 7), "hot-sites");
	s->objects_per_s = 190000;
	ok(facts_ask(&m, "hot-sites") == RULE_NO, "hot-sites: not that often");
	s->objects_per_s = 210000, s->life_s = 0.0011;
	ok(facts_ask(&m, "hot-sites") == RULE_NO, "hot-sites: longer lives");
	s->life_s = 0.0009, s->freed_share = 0.8;
	ok(facts_ask(&m, "hot-sites") == RULE_NO, "hot-sites: some stay");
	s->freed_share = 1, s->samples = 19;
	ok(facts_ask(&m, "hot-sites") == RULE_NO, "hot-sites: too few samples");
	s->samples = 100, s->remote_share = 0.55;
	ok(facts_ask(&m, "remote-frees") == RULE_YES && facts_says(FINDING_FROM, "55 %") && facts_found.certainty == FINDING_POSSIBLE, "remote-frees");
	facts_lock_make(&m, "glibc arena 1", 0.06, 0);
	ok(facts_ask(&m, "remote-frees") == RULE_YES && facts_found.certainty == FINDING_LIKELY, "remote-frees: and it is seen to hurt");
	s->remote_share = 0.45;
	ok(facts_ask(&m, "remote-frees") == RULE_NO, "remote-frees: less than half");
	s->remote_share = 1, s->objects_per_s = 99000;
	ok(facts_ask(&m, "remote-frees") == RULE_NO, "remote-frees: not that often");
}

int main(void)
{
	mmap_churn();
	tcache_overflow();
	jemalloc_bins();
	tcmalloc();
	sites();
	return done();
}
