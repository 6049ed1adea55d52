/* verdict.c: findings come most costly first, what could not be judged is kept apart; and what rules ask of the facts. */
#include <stddef.h>

#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;

static size_t place(const struct verdict *v, const char *rule)
{
	for (size_t i = 0; i < v->nfindings; i++)
		if (!strcmp(v->finding[i].rule->name, rule)) return i;
	return 99;
}

static void order(void)
{
	struct verdict v;
	size_t i;

	facts_make(&m, "glibc", "2.36");
	verdict_make(&m.f, &v);
	ok(v.nfindings == 0, "nothing wrong, nothing found");
	verdict_free(&v);
	facts_row(&m, "thread stacks", 65, 65);
	facts_lock_make(&m, "glibc main arena", 2, 2);
	verdict_make(&m.f, &v);
	ok(place(&v, "not-malloc") == 0 && place(&v, "glibc-arena-lock") == 1, "65 of 100 MiB cost more than 2 of 4 processors");
	verdict_free(&v);
	m.row[0].lost_s_per_s.value = 3;
	verdict_make(&m.f, &v);
	ok(place(&v, "not-malloc") == 1 && place(&v, "glibc-arena-lock") == 0, "3 of 4 cost more than 65 MiB");
	near(verdict_cost(&m.f, &v.finding[0]), 0.75, "the cost of a lock is a share of the processors it could use");
	near(verdict_cost(&m.f, &v.finding[1]), 0.65, "that of memory a share of what is resident");
	verdict_free(&v);
	m.f.locks_group.known = 0;
	verdict_make(&m.f, &v);
	for (i = 0; i < v.nmissing && strcmp(v.missing[i].rule->name, "glibc-arena-lock"); i++) ;
	ok(i < v.nmissing && *v.missing[i].headline && place(&v, "glibc-arena-lock") == 99, "locks that were not watched are not judged, and it is said");
	verdict_free(&v);
	facts_unmake(&m);
}

/* The manual, --explain and JSON show them as they are. */
static void table(void)
{
	for (const struct rule *const *r = rules; *r; r++) {
		int twice = 0;
		for (const struct rule *const *q = rules; *q; q++) twice += !strcmp((*q)->name, (*r)->name);
		ok(twice == 1 && *(*r)->kind && *(*r)->title && strlen((*r)->explanation) > 100 && *(*r)->threshold && *(*r)->source && (*r)->test, "%s is whole, and only there once", (*r)->name);
	}
	ok(!rule_find("no such rule") && rule_find("leak"), "found by name");
}

static void facts(void)
{
	facts_make(&m, "musl mallocng", "1.2.3");
	facts_row(&m, "musl mallocng: live, requested", 3, 1);
	facts_row(&m, "musl mallocng: live, rounding", 2, 4);
	facts_row(&m, "thread stacks", 7, 7);
	near(facts_ledger(&m.f, "musl", "live") / FACTS_MIB, 5, "rows of a part");
	near(facts_ledger(&m.f, NULL, "") / FACTS_MIB, 7, "rows of no allocator");
	near(facts_steady(&m.f, "musl", "live, req") / FACTS_MIB, 1, "what was there at both ends");
	ok(facts_allocator(&m.f, "musl") && !facts_allocator(&m.f, "glibc"), "the allocator by the beginning of its name");
	m.allocator[0].in_use = 0;
	ok(facts_allocator(&m.f, "musl") != NULL, "one that has nothing at this moment");
	ok(facts_version("2.35..2.42", 2, 35) == 1 && facts_version("2.25", 2, 26) == 0 && facts_version("", 2, 26) == -1 && facts_version("3.0", 2, 26) == 1, "versions");
	near(facts_rate(&m.f, offsetof(struct facts_moment, user_s)), 1, "a rate");
	m.f.series[0].user_s = NAN;
	near(facts_rate(&m.f, offsetof(struct facts_moment, user_s)), 1, "from the first moment that knows it");
	m.f.nseries = 1;
	ok(isnan(facts_rate(&m.f, offsetof(struct facts_moment, user_s))), "one moment has no rate");
	m.f.heap_group.known = 0;
	ok(isnan(facts_ledger(&m.f, "musl", "live")), "no ledger, no bytes: not zero");
	ok(isnan(facts_bytes(HEAP_UNKNOWN)) && isnan(facts_fact(&m.allocator[0], "no such fact")), "unknown stays unknown");
	facts_unmake(&m);
}

int main(void)
{
	order();
	table();
	facts();
	return done();
}
