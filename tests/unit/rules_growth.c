/* rules_growth.c: leak, retention, fragmentation and what is not malloc's: each on both sides of its thresholds, and none for another. */
#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;

static double wobble(size_t i) { return (double)((i * 7919 + 13) % 5) - 2; }   /* -2 to 2 */

/* rss, live and held grow by so many MiB over the watch, with noise of +-2 times `noise` MiB. */
static void grow(double rss, double live, double held, double noise)
{
	for (size_t i = 0; i < m.f.nseries; i++) {
		double part = (double)i / (double)(m.f.nseries - 1), off = noise * wobble(i);
		m.f.series[i].rss += (rss * part + off) * FACTS_MIB;
		m.f.series[i].live += (live * part + off) * FACTS_MIB;
		m.f.series[i].held_free += (held * part - off) * FACTS_MIB;
	}
}

static void fresh(void)
{
	facts_unmake(&m);
	facts_make(&m, "glibc", "2.36");
	facts_row(&m, "glibc: live", 80, 80);
	facts_row(&m, "anonymous, of no allocator", 5, 5);
}

static void none(const char *what, const char *but)
{
	static const char *const all[] = { "leak", "retention", "fragmentation", "not-malloc" };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!but || strcmp(all[i], but)) ok(facts_ask(&m, all[i]) == RULE_NO, "%s: no %s", what, all[i]);
}

/* What is said of a leak while no site is known. */
static void nameless(void)
{
	struct heap_class was = { .size = 496, .live = 1000, .requested = 1000 * 480 };
	struct heap_allocator before;

	m.f.fault = &(struct facts_from){ .stack = "reuse()", .share = 0.9 };
	m.f.nfaults = 1;
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].minor_faults = (double)i * 1280;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_says(FINDING_EVIDENCE, "reuse(): the first to touch 90 %") && !facts_says(FINDING_FROM, "reuse()"), "who touches new pages is evidence, not where it comes from");
	ok(facts_says(FINDING_EVIDENCE, "10 % are growth of RSS: most were given back") && facts_says(FINDING_EVIDENCE, "need not be who keeps"), "and how much of that is growth");
	ok(!facts_says(FINDING_EVIDENCE, "more blocks"), "nothing is said of classes that were not read");
	m.class[0] = (struct heap_class){ .size = 496, .live = 21000, .requested = 1000 * 480 + 20000 * 400 };
	m.class[1] = (struct heap_class){ .size = 1024, .live = 900, .requested = HEAP_UNKNOWN };
	m.allocator[0].nclasses = 2;
	before = m.allocator[0];
	before.class = &was;
	before.nclasses = 1;
	before.live_bytes -= 10 * FACTS_MIB;
	m.f.before.allocator = &before;
	m.f.before.nallocators = 1;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_says(FINDING_EVIDENCE, "20.0k more blocks of up to 496 bytes, asked for as 400 on average: 9.46M, 95 % of the growth"), "the class that grew, and what was asked for");
	ok(!facts_says(FINDING_EVIDENCE, "1024"), "not one that grew by less than a tenth");
	m.f.id.is_static = 1;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_says(FINDING_DO, "alloctop attach 412, which takes a static program when"), "a static program can be attached to");
	m.f.agent_group.known = 1;
	m.f.sample_rate = 512 << 10;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_says(FINDING_FROM, "at one sample per 512K") && facts_says(FINDING_DO, "alloctop set 412 rate=64K"), "with an agent that saw too few samples: what to set");
	m.f.before.allocator = NULL;
	m.f.before.nallocators = 0;
}

static void leak(void)
{
	struct facts_site *s;

	fresh();
	none("flat", NULL);
	fresh();
	grow(0.1, 0.1, 0, 0);
	none("a rise of 100K", NULL);
	fresh();
	grow(0.6, 0.6, 0, 0);
	ok(facts_ask(&m, "leak") == RULE_YES, "a steady rise of 600K in 80M");
	fresh();
	grow(10, 10, 0, 0.5);
	none("10M in 10 s", "leak");
	ok(facts_ask(&m, "leak") == RULE_YES && facts_found.certainty == FINDING_LIKELY, "10M in 10 s with noise is likely a leak");
	ok(strstr(facts_found.headline, "1.00M/s") || strstr(facts_found.headline, "0.99M/s") || strstr(facts_found.headline, "1.0"), "the rate is said: %s", facts_found.headline);
	ok(facts_says(FINDING_FROM, "no agent"), "without an agent it says what would name the function");
	ok(facts_found.cost_bytes > 3000.0 * FACTS_MIB, "costs what it would take in an hour");
	nameless();
	fresh();
	grow(2, 2, 0, 4);
	ok(facts_ask(&m, "leak") == RULE_NO, "a rise that is lost in the scatter");
	fresh();
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].live += (i < 6 ? (double)i : 6.0) * FACTS_MIB, m.f.series[i].rss += (i < 6 ? (double)i : 6.0) * FACTS_MIB;
	ok(facts_ask(&m, "leak") == RULE_NO, "a cache that fills and then stays");
	fresh();
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].live += (double)(i % 7) * FACTS_MIB;
	ok(facts_ask(&m, "leak") == RULE_NO, "a saw tooth");
	fresh();
	grow(10, 10, 0, 0);
	m.f.uptime_s = 20;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_found.certainty == FINDING_POSSIBLE, "in a young process only possible");
	m.f.uptime_s = 3600;
	s = facts_site_make(&m, "still");
	for (size_t i = 0; i < m.f.nseries; i++) s->live_at[i] = (10 + 0.3 * wobble(i)) * FACTS_MIB;
	s = facts_site_make(&m, "forget");
	for (size_t i = 0; i < m.f.nseries; i++) s->live_at[i] = ((double)i / 2 + 0.3 * wobble(i)) * FACTS_MIB;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_says(FINDING_FROM, "forget") && !facts_says(FINDING_FROM, "still"), "the site that grows is named, the other is not");
	ok(facts_found.certainty == FINDING_LIKELY, "ten seconds are not enough to be certain");
	m.f.watch_s = 60;
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].at *= 6;
	ok(facts_ask(&m, "leak") == RULE_YES && facts_found.certainty == FINDING_CERTAIN, "a minute and a site are");
	fresh();
	m.f.nseries = 3;
	ok(facts_ask(&m, "leak") == RULE_UNKNOWN, "three looks are too few to say anything");
	fresh();
	for (size_t i = 0; i < m.f.nseries; i++) m.f.series[i].live = NAN;
	ok(facts_ask(&m, "leak") == RULE_UNKNOWN, "live memory that is not known is not called flat");
	/* a heap that is read at both ends only */
	fresh();
	grow(10, 10, 0, 0);
	for (size_t i = 1; i + 1 < m.f.nseries; i++) m.f.series[i].live = m.f.series[i].held_free = NAN;
	none("dear heap", "leak");
	ok(facts_ask(&m, "leak") == RULE_YES, "two readings and the resident memory between");
}

static void retention(void)
{
	fresh();
	grow(10, 0.5, 9, 0.1);
	none("held grows", "retention");
	ok(facts_ask(&m, "retention") == RULE_YES && facts_says(FINDING_DO, "malloc_trim"), "RSS and held grow, live does not: retention");
	fresh();
	grow(3, 0, 3, 0);
	ok(facts_ask(&m, "retention") == RULE_NO, "3M are too little");
	fresh();
	grow(10, 6, 4, 0);
	ok(facts_ask(&m, "retention") == RULE_NO, "most of the growth is live");
}

static void fragmentation(void)
{
	fresh();
	facts_unmake(&m);
	facts_make(&m, "jemalloc", "5.3.0");
	m.class[0] = (struct heap_class){ .size = 112, .live = 1000, .free = 300000, .slabs = 10000, .pinned = 9000 };
	m.allocator[0].nclasses = 1;
	facts_row(&m, "jemalloc: live", 40, 40);
	facts_row(&m, "jemalloc: free, by its counters", 32, 32);
	none("holes", "fragmentation");
	ok(facts_ask(&m, "fragmentation") == RULE_YES && facts_says(FINDING_EVIDENCE, "90 % of its 10000 slabs"), "a third of RSS between live blocks, and the slabs that are pinned");
	struct facts_site *s = facts_site_make(&m, "session_new");
	s->live = 100000;
	s->live_objects = 1000;
	ok(facts_ask(&m, "fragmentation") == RULE_YES && facts_says(FINDING_FROM, "session_new"), "who holds blocks of that size");
	s->live_objects = 10;
	ok(facts_ask(&m, "fragmentation") == RULE_YES && !facts_says(FINDING_FROM, "session_new"), "a site with other sizes is not named");
	m.f.heap.ledger.row[1].bytes = 20 * FACTS_MIB;
	ok(facts_ask(&m, "fragmentation") == RULE_NO, "a fifth is not enough");
	m.f.heap.ledger.row[1].bytes = 32 * FACTS_MIB;
	m.f.before.ledger.row[1].bytes = 2 * FACTS_MIB;
	ok(facts_ask(&m, "fragmentation") == RULE_NO, "nor what was not there at the beginning");
	m.f.heap_group.known = 0;
	ok(facts_ask(&m, "fragmentation") == RULE_UNKNOWN, "a heap that was not read is not called whole");
}

/* Shared memory that becomes resident: mapped before, or more of it mapped. */
static void touched(void)
{
	struct heap_map before = { .start = 0x100000000, .end = 0x100000000 + 64 * FACTS_MIB, .what = "shared memory" }, now = before;

	fresh();
	facts_unmake(&m);
	facts_make(&m, "glibc", "2.36");
	facts_row(&m, "glibc: live", 80, 80);
	facts_row(&m, "shared memory", 20, 10);
	grow(10, 0, 0, 0.1);
	m.f.before.map = &before, m.f.heap.map = &now, m.f.before.nmaps = m.f.heap.nmaps = 1;
	ok(facts_ask(&m, "not-malloc") == RULE_NO, "buffers that were mapped before are only touched");
	now.end += 8 * FACTS_MIB;
	ok(facts_ask(&m, "not-malloc") == RULE_YES && strstr(facts_found.headline, "shared memory"), "more of them mapped is growth");
	m.f.before.nmaps = m.f.heap.nmaps = 0;
}

static void not_malloc(void)
{
	fresh();
	facts_unmake(&m);
	facts_make(&m, "glibc", "2.36");
	facts_row(&m, "glibc: live", 80, 80);
	facts_row(&m, "anonymous, of no allocator", 20, 10);
	grow(10, 0, 0, 0.1);
	none("mappings grow", "not-malloc");
	ok(facts_ask(&m, "not-malloc") == RULE_YES && strstr(facts_found.headline, "anonymous, of no allocator"), "the row that grew is named");
	snprintf(m.f.id.runtime, sizeof m.f.id.runtime, "node");
	ok(facts_ask(&m, "not-malloc") == RULE_YES && facts_says(FINDING_DO, "max-old-space-size"), "of node it is V8's heap");
	m.f.before.ledger.row[1].bytes = 18 * FACTS_MIB;
	ok(facts_ask(&m, "not-malloc") == RULE_NO, "no row that grew, no finding");
	touched();
	fresh();
	facts_row(&m, "thread stacks", 65, 65);
	ok(facts_ask(&m, "not-malloc") == RULE_YES && facts_found.certainty == FINDING_CERTAIN, "65M of stacks");
	fresh();
	facts_row(&m, "thread stacks", 63, 63);
	ok(facts_ask(&m, "not-malloc") == RULE_NO, "63M of stacks");
	fresh();
	facts_unmake(&m);
	facts_make(&m, "glibc", "2.36");
	facts_row(&m, "glibc: live", 40, 40);
	facts_row(&m, "shared memory", 60, 60);
	ok(facts_ask(&m, "not-malloc") == RULE_NO, "shared memory alone is nothing wrong");
	m.f.memory_limit = 110.0 * FACTS_MIB;
	ok(facts_ask(&m, "not-malloc") == RULE_YES && facts_says(FINDING_EVIDENCE, "shared memory"), "unless the limit is near");
	m.f.memory_limit = 200.0 * FACTS_MIB;
	ok(facts_ask(&m, "not-malloc") == RULE_NO, "at half of the limit it is not");
}

int main(void)
{
	leak();
	retention();
	fragmentation();
	not_malloc();
	facts_unmake(&m);
	finding_clear(&facts_found);
	return done();
}
