/* facts.h: facts made by hand, for tests of rules, and what they say. A process of 100 MiB on glibc with nothing wrong; each test spoils a part of it. */
#ifndef TESTS_FACTS_H
#define TESTS_FACTS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/ledger.h"
#include "inspect/verdict/facts.h"
#include "inspect/verdict/rule.h"
#include "inspect/verdict/verdict.h"

enum { FACTS_MIB = 1 << 20, FACTS_POINTS = 21 };

struct facts_made {
	struct facts f;
	struct heap_allocator allocator[2];
	struct facts_deployed deployed[2];
	struct heap_arena arena[16];
	struct heap_class class[4];
	struct lock_row row[4];
	struct facts_lock lock[4];
	struct facts_site site[4];
};

/* All NAN that is not known, and every moment the same. */
static inline void facts_make(struct facts_made *m, const char *allocator, const char *version)
{
	struct facts *f = &m->f;

	*m = (struct facts_made){ 0 };
	*f = (struct facts){ .watch_s = 10, .cpus = 4, .cpus_here = 4, .uptime_s = 3600, .threads = 8, .live_source = "ledger", .shrinks = NAN, .rss = 100.0 * FACTS_MIB, .swap = 0,
	                     .lazy_free = 0, .huge = 0, .hugetlb = 0, .anonymous = NAN, .memory_limit = NAN, .agent_age_s = NAN, .agent_live = NAN, .agent_live_error = NAN, .sample_rate = NAN,
	                     .agent_rounding = NAN, .alloc_bytes_per_s = NAN, .alloc_objects_per_s = NAN, .agent_losses = NAN };
	f->id = (struct facts_identity){ .group.known = 1, .env_group.known = 1, .pid = 412, .program = "served", .libc = strncmp(allocator, "musl", 4) ? FACTS_GLIBC : FACTS_MUSL, .system = "debian" };
	snprintf(f->id.libc_version, sizeof f->id.libc_version, "%s", f->id.libc == FACTS_MUSL ? "1.2.3" : "2.36");
	f->heap_group.known = f->locks_group.known = 1;
	snprintf(f->agent_group.why, sizeof f->agent_group.why, "no agent in pid 412");
	m->allocator[0] = (struct heap_allocator){ .name = allocator, .in_use = 1, .live_bytes = 80 * FACTS_MIB, .live_objects = 100000, .requested_bytes = HEAP_UNKNOWN, .cached_bytes = 0,
		.free_bytes = 0, .mapped = 90 * FACTS_MIB, .class = m->class, .arena = m->arena, .narenas = 1, .state = 0x1000 };
	snprintf(m->allocator[0].version, sizeof m->allocator[0].version, "%s", version);
	f->heap.allocator = m->allocator;
	f->heap.nallocators = 1;
	f->deployed = m->deployed;
	f->heap.ledger.rss = 100 * FACTS_MIB;
	f->lock = m->lock;
	f->site = m->site;
	for (f->nseries = 0; f->nseries < FACTS_POINTS; f->nseries++)
		f->series[f->nseries] = (struct facts_moment){ .at = 0.5 * (double)f->nseries, .rss = 100.0 * FACTS_MIB, .live = 80.0 * FACTS_MIB, .held_free = 5.0 * FACTS_MIB, .threads = 8,
			.user_s = 0.5 * (double)f->nseries };
}

/* One lock of the first allocator's. */
static inline struct lock_row *facts_lock_make(struct facts_made *m, const char *name, double lost, double inside)
{
	size_t n = m->f.nlocks++;
	struct lock_row *r = &m->row[n];
	static const struct lock_figure unknown = { LOCK_UNKNOWN, LOCK_UNKNOWN, NULL };

	*r = (struct lock_row){ .utilisation = { 0.5, 0.01, "lock-word" }, .mean_inside = { inside, 0.1, "lock-word" }, .contended = { 0.6, 0.01, "lock-word" }, .waits_per_s = unknown,
	                        .lost_s_per_s = { lost, 0.02, "lock-word" }, .cpu_s_per_s = unknown, .eagain = unknown };
	snprintf(r->allocator, sizeof r->allocator, "%s", m->allocator[0].name);
	snprintf(r->name, sizeof r->name, "%s", name);
	m->lock[n] = (struct facts_lock){ .row = r };
	return r;
}

static inline void facts_row(struct facts_made *m, const char *name, double mib, double mib_before)
{
	ledger_add(&m->f.heap.ledger, name, (uint64_t)(mib * FACTS_MIB), 0, 0, "");
	ledger_add(&m->f.before.ledger, name, (uint64_t)(mib_before * FACTS_MIB), 0, 0, "");
}

static inline void facts_variable(struct facts_made *m, const char *name, const char *value)
{
	struct facts_variable *v = &m->f.id.env[m->f.id.nenv++];

	snprintf(v->name, sizeof v->name, "%s", name);
	snprintf(v->value, sizeof v->value, "%s", value);
}

static inline struct facts_site *facts_site_make(struct facts_made *m, const char *function)
{
	struct facts_site *s = &m->site[m->f.nsites++];

	*s = (struct facts_site){ .function = function, .caller = "", .stack = function, .samples = 100, .live_samples = 50,
	                          .live = 10.0 * FACTS_MIB, .live_error = FACTS_MIB, .live_objects = 10000, .size = 1000, .life_s = NAN, .freed_share = 0, .remote_share = NAN, .rounding = NAN };
	m->f.agent_group.known = 1;
	return s;
}

static inline void facts_unmake(struct facts_made *m)
{
	free(m->f.heap.ledger.row);
	free(m->f.before.ledger.row);
}

/* The answer, and the finding for as long as the next is not asked for. */
static struct finding facts_found;

static inline enum rule_answer facts_ask(const struct facts_made *m, const char *rule)
{
	const struct rule *r = rule_find(rule);

	finding_clear(&facts_found);
	facts_found = (struct finding){ .rule = r };
	return r ? r->test(&m->f, &facts_found) : RULE_UNKNOWN;
}

/* Does a line of this part contain the words? */
static inline int facts_says(enum finding_part part, const char *words)
{
	for (size_t i = 0; i < facts_found.nlines; i++)
		if (facts_found.line[i].part == part && strstr(facts_found.line[i].text, words)) return 1;
	for (size_t i = 0; i < facts_found.nlines; i++)
		if (facts_found.line[i].part == part) printf("# %s: %s\n", finding_part_name(part), facts_found.line[i].text);
	return 0;
}

#endif
