/* rules_setup.c: what was chosen or built badly: size classes, book-keeping, nodes, allocators beside each other; and the figures that only these rules
 * need. */
#include "inspect/model/snapshot.h"
#include "inspect/verdict/nodes.h"
#include "inspect/verdict/slots.h"
#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;
static struct heap_map map[2];
static struct heap_node node[2];

static void fresh(const char *allocator, const char *version)
{
	facts_unmake(&m);
	facts_make(&m, allocator, version);
}

static void rounding(void)
{
	struct facts_site *s;

	fresh("musl mallocng", "1.2.3");
	m.allocator[0].requested_bytes = 63 * FACTS_MIB;
	m.class[0] = (struct heap_class){ .size = 5104, .live = 16000, .requested = 16000 * 4097 };
	m.allocator[0].nclasses = 1;
	ok(facts_ask(&m, "rounding") == RULE_YES && facts_found.certainty == FINDING_CERTAIN && facts_says(FINDING_EVIDENCE, "4097 bytes on average"), "rounding: counted");
	m.allocator[0].requested_bytes = 65 * FACTS_MIB;
	ok(facts_ask(&m, "rounding") == RULE_NO, "rounding: below 20 %%");
	m.allocator[0].live_bytes = 20 * FACTS_MIB;
	m.allocator[0].requested_bytes = 5 * FACTS_MIB;
	ok(facts_ask(&m, "rounding") == RULE_NO, "rounding: below 16 MiB");
	fresh("jemalloc", "5.3.0");
	ok(facts_ask(&m, "rounding") == RULE_UNKNOWN, "rounding: nobody knows");
	m.allocator[0].live_bytes = 15 * FACTS_MIB;
	ok(facts_ask(&m, "rounding") == RULE_NO, "rounding: so little that it does not matter");
	s = facts_site_make(&m, "pad");
	m.f.agent_live = 60.0 * FACTS_MIB;
	s->rounding = m.f.agent_rounding = 17.0 * FACTS_MIB;
	ok(facts_ask(&m, "rounding") == RULE_YES && facts_found.certainty == FINDING_LIKELY && facts_says(FINDING_FROM, "pad: 17.0M lost"), "rounding: by an agent");
	m.f.agent_rounding = 14.0 * FACTS_MIB;
	ok(facts_ask(&m, "rounding") == RULE_NO, "rounding: by an agent, little");
}

static void metadata(void)
{
	fresh("jemalloc", "5.3.0");
	facts_row(&m, "jemalloc: metadata", 17, 17);
	m.allocator[0].narenas = 16;
	ok(facts_ask(&m, "metadata") == RULE_YES && facts_says(FINDING_DO, "narenas:4"), "metadata");
	m.allocator[0].live_bytes = 200 * FACTS_MIB;
	ok(facts_ask(&m, "metadata") == RULE_NO, "metadata: below a tenth");
	fresh("jemalloc", "5.3.0");
	facts_row(&m, "jemalloc: metadata", 15, 15);
	ok(facts_ask(&m, "metadata") == RULE_NO, "metadata: below 16 MiB");
	fresh("glibc", "2.36");
	m.allocator[0].metadata_bytes = 17 * FACTS_MIB;
	m.allocator[0].live_objects = 2 * FACTS_MIB;
	ok(facts_ask(&m, "metadata") == RULE_YES && facts_says(FINDING_CAUSE, "header"), "metadata: glibc's headers");
	m.allocator[0].live_objects = HEAP_UNKNOWN;
	ok(facts_ask(&m, "metadata") == RULE_NO, "metadata: blocks that were not counted");
}

static void numa(void)
{
	fresh("glibc", "2.36");
	node[0] = (struct heap_node){ 0, 192ull * FACTS_MIB, 0 };
	node[1] = (struct heap_node){ 1, 64ull * FACTS_MIB, 0 };
	m.f.heap.node = node;
	m.f.heap.nnodes = m.f.numa_nodes = 2;
	m.f.run_nodes = 1;
	ok(facts_ask(&m, "numa-remote") == RULE_YES && facts_says(FINDING_DO, "migratepages 412 1 0") && facts_says(FINDING_DO, "numactl --cpunodebind=0 --membind=0"), "numa-remote");
	node[0].anonymous = 193ull * FACTS_MIB;
	ok(facts_ask(&m, "numa-remote") == RULE_NO, "numa-remote: less than a quarter");
	node[0].anonymous = 60ull * FACTS_MIB, node[1].anonymous = 63ull * FACTS_MIB;
	ok(facts_ask(&m, "numa-remote") == RULE_NO, "numa-remote: less than 64 MiB");
	node[1].anonymous = 64ull * FACTS_MIB;
	m.f.run_nodes = 3;
	ok(facts_ask(&m, "numa-remote") == RULE_NO, "numa-remote: threads on both");
	m.f.run_nodes = 0;
	ok(facts_ask(&m, "numa-remote") == RULE_UNKNOWN, "numa-remote: nobody saw the threads");
	m.f.numa_nodes = 1;
	ok(facts_ask(&m, "numa-remote") == RULE_NO, "numa-remote: one node");
	ok(nodes_processor("12 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 5 37") == 5, "a processor, behind any name");
	ok(nodes_processor("12 (x) S 1") == -1 && nodes_processor("") == -1, "no processor");
	ok(nodes_listed("0-3,8,10-11", 8) && nodes_listed("0-3,8,10-11", 11) && !nodes_listed("0-3,8,10-11", 9) && !nodes_listed("", 0), "lists of processors");
}

static void unused(void)
{
	fresh("glibc", "2.36");
	snprintf(m.allocator[0].owner, sizeof m.allocator[0].owner, "libc.so.6");
	m.f.heap.map = map;
	m.f.heap.nmaps = 1;
	snprintf(map[0].path, sizeof map[0].path, "/usr/lib/libjemalloc.so.2");
	ok(facts_ask(&m, "unused-allocator") == RULE_YES && facts_found.certainty == FINDING_LIKELY, "unused-allocator");
	facts_variable(&m, "LD_PRELOAD", "/opt/libjemalloc.so");
	m.deployed[0].way = FACTS_LINKED;
	ok(facts_ask(&m, "unused-allocator") == RULE_YES && facts_found.certainty == FINDING_CERTAIN && facts_says(FINDING_CAUSE, "defines malloc itself"), "unused-allocator: preloaded in vain");
	m.deployed[0].way = FACTS_PRELOADED;
	ok(facts_ask(&m, "unused-allocator") == RULE_YES, "unused-allocator: the second one that is preloaded");
	m.f.id.nenv = 0;
	ok(facts_ask(&m, "unused-allocator") == RULE_NO, "unused-allocator: what is linked has been replaced by one that is preloaded");
	m.deployed[0].way = FACTS_IN_LIBC;
	m.f.heap.nallocators = 2;
	m.allocator[1] = (struct heap_allocator){ .name = "jemalloc", .owner = "libjemalloc.so.2" };
	ok(facts_ask(&m, "unused-allocator") == RULE_YES, "unused-allocator: its heap is idle");
	snprintf(m.deployed[1].prefix, sizeof m.deployed[1].prefix, "je_");
	ok(facts_ask(&m, "unused-allocator") == RULE_NO, "unused-allocator: for those who call it by its name");
	m.deployed[1].prefix[0] = 0;
	m.allocator[1].in_use = 1;
	ok(facts_ask(&m, "unused-allocator") == RULE_NO, "unused-allocator: in use");
	m.allocator[1].in_use = m.allocator[0].in_use = 0;
	ok(facts_ask(&m, "unused-allocator") == RULE_NO, "unused-allocator: nothing allocated yet");
	m.allocator[0].in_use = 1;
	snprintf(map[0].path, sizeof map[0].path, "/usr/lib/libjpeg.so.62");
	ok(facts_ask(&m, "unused-allocator") == RULE_NO, "unused-allocator: another library");
}

static void two(void)
{
	fresh("jemalloc", "5.3.0");
	m.f.heap.nallocators = 2;
	m.allocator[1] = (struct heap_allocator){ .name = "glibc", .owner = "libc.so.6", .in_use = 1, .live_bytes = 10 * FACTS_MIB };
	facts_row(&m, "jemalloc: live", 80, 80);
	facts_row(&m, "glibc: live", 12, 12);
	facts_row(&m, "glibc: free, trimmable", 5, 5);
	ok(facts_ask(&m, "two-allocators") == RULE_YES && facts_found.cost_bytes == 5.0 * FACTS_MIB && strstr(facts_found.headline, "17.0M"), "two-allocators");
	m.allocator[1].in_use = 0;
	ok(facts_ask(&m, "two-allocators") == RULE_NO, "two-allocators: one is idle");
	m.allocator[1].in_use = 1;
	facts_row(&m, "jemalloc: free, trimmable", 80, 80);
	ok(facts_ask(&m, "two-allocators") == RULE_NO, "two-allocators: less than a tenth");
	fresh("jemalloc", "5.3.0");
	m.f.heap.nallocators = 2;
	m.allocator[1] = (struct heap_allocator){ .name = "glibc", .in_use = 1 };
	facts_row(&m, "jemalloc: live", 80, 80);
	facts_row(&m, "glibc: live", 15, 15);
	ok(facts_ask(&m, "two-allocators") == RULE_NO, "two-allocators: less than 16 MiB");
}

static void slots(void)
{
	struct snap_live live[] = { { .size = 100, .weight = 1000, .site = 0 }, { .size = 4097, .weight = 4097, .site = 1 }, { .size = 0, .weight = 10, .site = 1 } };
	struct snap_site site[2] = { { 0 } };
	struct snapshot s = { .live = live, .nlive = 3, .site = site, .nsites = 2 };

	fresh("glibc", "2.36");
	ok(slots_of(&m.allocator[0], 1) == 24 && slots_of(&m.allocator[0], 24) == 24 && slots_of(&m.allocator[0], 25) == 40 && slots_of(&m.allocator[0], 100) == 104, "glibc's slots");
	ok(slots_of(&m.allocator[0], 131072) == 135152 && slots_of(&m.allocator[0], UINT64_MAX) == 0, "glibc's mappings");
	fresh("jemalloc", "5.3.0");
	m.class[0].size = 112, m.class[1].size = 5120;
	m.allocator[0].nclasses = 2;
	ok(slots_of(&m.allocator[0], 100) == 112 && slots_of(&m.allocator[0], 4097) == 5120 && slots_of(&m.allocator[0], 1000) == 0 && slots_of(&m.allocator[0], 6000) == 0, "classes that were seen, and none that would not be taken");
	ok(!slots_fill(&s, &m.allocator[0]) && fabs(site[0].live_rounding - 120) < 1e-9 && fabs(site[1].live_rounding - 1023) < 1e-9, "samples in their slots");
	fresh("musl mallocng", "1.2.3");
	m.allocator[0].nclasses = 1;
	ok(slots_fill(&s, &m.allocator[0]) == -1, "musl says itself what was asked for");
}

int main(void)
{
	rounding();
	metadata();
	numa();
	unused();
	two();
	slots();
	return done();
}
