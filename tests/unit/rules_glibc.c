/* rules_glibc.c: waiting for musl's lock and glibc's arenas, and what glibc keeps: on both sides of the thresholds. */
#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;

static void musl_lock(void)
{
	facts_make(&m, "musl mallocng", "1.2.3");
	facts_lock_make(&m, "musl malloc lock", 0.19, 0.6);
	ok(facts_ask(&m, "musl-lock") == RULE_NO, "0.19 thread-seconds a second are below the threshold");
	m.row[0].lost_s_per_s.value = 0.21;
	ok(facts_ask(&m, "musl-lock") == RULE_YES && facts_found.certainty == FINDING_LIKELY, "0.21 are above it");
	m.row[0].lost_s_per_s.value = 5.6;
	m.row[0].mean_inside.value = 6.1;
	struct facts_from from = { .stack = (char *)(uintptr_t)"build_row() row.c:41 < main()", .share = 0.71 };
	m.lock[0].from = &from;
	m.lock[0].nfrom = 1;
	ok(facts_ask(&m, "musl-lock") == RULE_YES && facts_found.certainty == FINDING_CERTAIN, "5.6 are certain");
	ok(strstr(facts_found.headline, "6.1 of 8 threads inside"), "the threads inside: %s", facts_found.headline);
	ok(facts_says(FINDING_FROM, "build_row() row.c:41") && facts_says(FINDING_FROM, "71 %"), "where from");
	/* one processor busy, half a second of it under the lock */
	ok(facts_says(FINDING_EVIDENCE, "50 %") && facts_says(FINDING_EVIDENCE, "more than 2.0 processors"), "what further processors can do");
	near(facts_found.cost_threads, 5.6, "costs what is lost");
	ok(facts_says(FINDING_DO, "musl-gcc"), "on Debian no package fits a musl program");
	snprintf(m.f.id.system, sizeof m.f.id.system, "alpine");
	ok(facts_ask(&m, "musl-lock") == RULE_YES && facts_says(FINDING_DO, "apk add"), "on Alpine one does");
	m.f.id.is_static = 1;
	ok(facts_ask(&m, "musl-lock") == RULE_YES && facts_says(FINDING_DO, "link it anew") && !facts_says(FINDING_DO, "LD_PRELOAD"), "a static one is linked anew");
	m.f.id.rust = 1;
	ok(facts_ask(&m, "musl-lock") == RULE_YES && facts_says(FINDING_DO, "#[global_allocator]"), "one in Rust has a line for it");
	m.f.threads = 1;
	ok(facts_ask(&m, "musl-lock") == RULE_NO, "one thread waits for nobody");
	m.f.threads = 8;
	m.row[0].lost_s_per_s = (struct lock_figure){ LOCK_UNKNOWN, LOCK_UNKNOWN, NULL };
	ok(facts_ask(&m, "musl-lock") == RULE_UNKNOWN, "what no source knows is not called quiet");
	m.f.locks_group.known = 0;
	ok(facts_ask(&m, "musl-lock") == RULE_UNKNOWN, "nor what could not be watched");
	facts_make(&m, "glibc", "2.36");
	facts_lock_make(&m, "glibc main arena", 5, 5);
	ok(facts_ask(&m, "musl-lock") == RULE_NO, "another allocator's lock is not musl's");
}

static void arena_lock(void)
{
	facts_make(&m, "glibc", "2.36");
	facts_lock_make(&m, "glibc main arena", 0.1, 0.5);
	facts_lock_make(&m, "glibc arena 1", 0.09, 0.5);
	m.allocator[0].narenas = 2;
	ok(facts_ask(&m, "glibc-arena-lock") == RULE_NO, "0.19 together");
	m.row[1].lost_s_per_s.value = 0.2;
	ok(facts_ask(&m, "glibc-arena-lock") == RULE_YES && facts_found.certainty == FINDING_LIKELY && !strstr(facts_found.headline, "too low"), "0.3 together, and no limit set");
	m.row[1].lost_s_per_s.value = 2;
	heap_add_fact(&m.allocator[0], "arena_max", 2, "");
	facts_variable(&m, "MALLOC_ARENA_MAX", "2");
	ok(facts_ask(&m, "glibc-arena-lock") == RULE_YES && facts_found.certainty == FINDING_CERTAIN && strstr(facts_found.headline, "too low"), "two for eight threads are too low");
	ok(facts_says(FINDING_DO, "MALLOC_ARENA_MAX=8") && facts_says(FINDING_DO, "now it has MALLOC_ARENA_MAX=2"), "what to set, and what is set");
	ok(facts_says(FINDING_CHECK, "--env MALLOC_ARENA_MAX=8"), "the experiment that shows it");
	m.f.id.nenv = 0;
	facts_variable(&m, "GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=2");
	ok(facts_ask(&m, "glibc-arena-lock") == RULE_YES && facts_says(FINDING_DO, "GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=8;"), "a tunable is changed where it stands");
}

/* glibc with so many MiB free: at the top, in one large chunk below, and in pieces of 1000 bytes; of that in the main arena. */
static void keep(double top, double inside, double pieces, double main_share)
{
	double all = (top + inside + pieces) * FACTS_MIB;

	facts_unmake(&m);
	facts_make(&m, "glibc", "2.36");
	facts_row(&m, "glibc: live", 20, 20);
	facts_row(&m, "glibc: free, trimmable", top, top);
	facts_row(&m, "glibc: free, between live blocks", inside + pieces, inside + pieces);
	m.allocator[0].free_bytes = (uint64_t)all;
	m.class[0] = (struct heap_class){ .size = 1000, .live = HEAP_UNKNOWN, .free = (uint64_t)(pieces * FACTS_MIB / 1008) };
	m.class[1] = (struct heap_class){ .size = (uint64_t)(inside * FACTS_MIB), .live = HEAP_UNKNOWN, .free = inside > 0 };
	m.allocator[0].nclasses = 2;
	m.arena[0] = (struct heap_arena){ .name = "main arena", .threads = 1, .free = (uint64_t)(all * main_share) };
	m.arena[1] = (struct heap_arena){ .name = "arena 1", .threads = 0, .free = (uint64_t)(all * (1 - main_share)) };
	m.allocator[0].narenas = main_share < 1 ? 2 : 1;
}

static int only(const char *rule)
{
	static const char *const all[] = { "glibc-trim", "glibc-arenas", "fragmentation", "leak", "retention", "not-malloc" };
	int good = 1;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) good &= (facts_ask(&m, all[i]) == RULE_YES) == (rule && !strcmp(all[i], rule));
	if (rule) facts_ask(&m, rule);
	return good;
}

static void kept(void)
{
	keep(1, 60, 1, 1);
	ok(only("glibc-trim") && strstr(facts_found.headline, "pinned"), "60M below a live block: a pinned top, and nothing else");
	ok(facts_says(FINDING_EVIDENCE, "below live blocks: 60.") && facts_says(FINDING_DO, "malloc_trim(0)"), "what trim returns, and that it does");
	near(facts_found.cost_bytes / FACTS_MIB > 60 && facts_found.cost_bytes / FACTS_MIB < 61.1, 1, "the bytes are those that would come back");
	keep(60, 1, 1, 1);
	ok(only("glibc-trim") && !strstr(facts_found.headline, "pinned") && facts_says(FINDING_DO, "MALLOC_TRIM_THRESHOLD_"), "60M at the top: not pinned, but above no threshold");
	keep(1, 1, 60, 1);
	ok(only("fragmentation"), "60M in pieces of 1000 bytes: fragmentation");
	heap_add_fact(&m.allocator[0], "free_pieces", 2.0 * FACTS_MIB, "");
	ok(only("glibc-trim") && facts_says(FINDING_EVIDENCE, "in pieces of pages, which nothing returns: 2.00M"), "the same side by side, as in fastbins: malloc_trim joins them");
	ok(!facts_says(FINDING_EVIDENCE, "fastbins keep"), "of 1000 bytes each they are in no fastbin");
	m.class[0] = (struct heap_class){ .size = 56, .live = HEAP_UNKNOWN, .free = 60 * FACTS_MIB / 56 };
	ok(only("glibc-trim") && facts_says(FINDING_EVIDENCE, "60.0M of it in chunks of up to 120 bytes: fastbins"), "of 56 they are");
	keep(1, 60, 1, 0.1);
	ok(only("glibc-arenas") && facts_found.certainty == FINDING_CERTAIN && strstr(facts_found.headline, "without a thread"), "the same in an arena without a thread: stranded");
	m.arena[1].threads = 3;
	ok(only("glibc-arenas") && facts_found.certainty == FINDING_LIKELY, "with threads: many arenas");
	heap_add_fact(&m.allocator[0], "arena_max", 2, "");
	ok(only("glibc-arenas") && facts_says(FINDING_DO, "MALLOC_ARENA_MAX=1"), "a limit of two is not raised to save memory");
	keep(1, 14, 0, 1);
	ok(only(NULL), "15M are below 16");
	keep(1, 22, 0, 1);
	ok(only(NULL), "23 of 100 are below a quarter");
	keep(1, 60, 1, 1);
	m.f.before.ledger.row[2].bytes = FACTS_MIB;
	ok(only(NULL), "what was not free at the beginning does not count");
	m.allocator[0].free_bytes = HEAP_UNKNOWN;
	ok(facts_ask(&m, "glibc-trim") == RULE_UNKNOWN && facts_ask(&m, "fragmentation") == RULE_UNKNOWN, "free memory that is not known");
}

int main(void)
{
	musl_lock();
	arena_lock();
	kept();
	facts_unmake(&m);
	finding_clear(&facts_found);
	return done();
}
