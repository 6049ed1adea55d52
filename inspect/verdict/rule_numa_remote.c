/* rule_numa_remote.c: memory is on nodes on which none of the threads runs. */
#include "inspect/verdict/rule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "inspect/model/units.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/recipe.h"

/* A remote access takes one and a half to two times as long: with a quarter remote, a program that waits for memory loses an eighth. */
static const double share_min = 0.25;
#define BYTES_MIN (64.0 * (1 << 20))
enum { MASK = 64 };

static int runs_on(const struct facts *f, unsigned node) { return node < MASK && f->run_nodes >> node & 1; }

/* "0,2" of the nodes with threads (or without): for commands. */
static void list(const struct facts *f, int running, char *buf, size_t n)
{
	size_t at = 0;

	*buf = 0;
	for (size_t i = 0; i < f->heap.nnodes && at < n; i++) {
		unsigned node = f->heap.node[i].node;
		if (runs_on(f, node) != running || (!running && !f->heap.node[i].anonymous)) continue;
		at += (size_t)snprintf(buf + at, n - at, "%s%u", at ? "," : "", node);
	}
}

static enum rule_answer test(const struct facts *f, struct finding *out)
{
	double remote = 0, all = 0;
	char text[UNITS_MAX], whole[UNITS_MAX], here[200], there[200];

	if (f->numa_nodes < 2) return RULE_NO;
	for (size_t i = 0; i < f->heap.nnodes; i++) {
		all += (double)f->heap.node[i].anonymous;
		if (!runs_on(f, f->heap.node[i].node)) remote += (double)f->heap.node[i].anonymous;
	}
	if (all < BYTES_MIN) return RULE_NO;
	if (!f->run_nodes) return finding_missing(out, "on which NUMA nodes its threads run");
	if (remote < BYTES_MIN || remote < share_min * all) return RULE_NO;
	list(f, 1, here, sizeof here);
	list(f, 0, there, sizeof there);
	units_bytes(remote, text);
	finding_headline(out, "NUMA: %s of memory are on nodes where none of its threads runs, %.0f %%", text, 100 * remote / all);
	for (size_t i = 0; i < f->heap.nnodes; i++)
		finding_say(out, FINDING_EVIDENCE, "node %u: %s, %s", f->heap.node[i].node, units_bytes((double)f->heap.node[i].anonymous, whole), runs_on(f, f->heap.node[i].node) ? "threads were seen there" : "no thread was seen there");
	finding_say(out, FINDING_EVIDENCE, "%s of %s anonymous memory (threshold: 64 MiB and 25 %%); policy: %s", text, units_bytes(all, whole), *f->numa_policy ? f->numa_policy : "not known");
	finding_say(out, FINDING_CAUSE, "memory comes from the node of the thread that touches it first, and stays there when threads move");
	finding_say(out, FINDING_DO, "move it, now: migratepages %d %s %s", (int)f->id.pid, there, here);
	finding_say(out, FINDING_DO, "keep it together from the next start on: numactl --cpunodebind=%s --membind=%s %s ...", here, here, *f->id.program ? f->id.program : "CMD");
	finding_say(out, FINDING_EFFECT, "accesses to %s no longer go to another node, which takes one and a half to two times as long", text);
	finding_say(out, FINDING_CHECK, "numastat -p %d", (int)f->id.pid);
	out->certainty = FINDING_LIKELY;
	out->cost_bytes = remote;
	return RULE_YES;
}

const struct rule rule_numa_remote = {
	.name = "numa-remote",
	.kind = "NUMA",
	.title = "memory is on NUMA nodes where none of its threads runs",
	.explanation = "On a machine with several nodes the kernel takes memory from the node of the thread that first touches it. When threads are moved later (by the scheduler, a new affinity, a container's limits), the "
		"memory stays behind. Counted is anonymous memory on nodes on which no thread of the process was seen to run during the watch. Memory on nodes that do have threads may be remote to others of "
		"them: who uses which page nothing tells, so that is not guessed at.",
	.threshold = "64 MiB and 25 % of the anonymous memory on nodes without any of its threads",
	.source = "numa(7), /proc/PID/numa_maps; Linux, Documentation/admin-guide/mm/numa_memory_policy.rst; migratepages(8), numactl(8)",
	.test = test,
};
