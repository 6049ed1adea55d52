/* lock_tally.c: means and their errors, rows, what a futex wait means, and what is made of several sources' words. */
#include <linux/futex.h>
#include <stdlib.h>

#include "inspect/lock/merge.h"
#include "inspect/lock/tally.h"
#include "inspect/target/target.h"
#include "tests/tap.h"

static void means(void)
{
	struct tally_mean m = { 0 };
	struct lock_figure f = tally_figure(&m, "x");

	ok(!f.source && f.value == LOCK_UNKNOWN, "no sample: unknown, not zero");
	for (int i = 0; i < 4000; i++) tally_sample(&m, i / 4000.0, i % 2);
	f = tally_figure(&m, "x");
	near(f.value, 0.5, "mean of a word that is held every other time");
	near(f.error, 0, "whose pieces do not differ");
	m = (struct tally_mean){ 0 };
	for (int i = 0; i < 4000; i++) tally_sample(&m, i / 4000.0, i < 2000);
	f = tally_figure(&m, "x");
	near(f.value, 0.5, "the same mean, one half held, one half free");
	near(f.error, 0.5 / sqrt(TALLY_BATCHES - 1), "has the error of so many independent pieces");
	m = (struct tally_mean){ 0 };
	for (int i = 0; i < 100; i++) tally_sample(&m, i / 100.0, 0);
	f = tally_figure(&m, "x");
	ok(f.value == 0 && f.error == 0.01, "never in 100 samples: zero, within one in 100");
	tally_sample(&m, -5, 1);
	tally_sample(&m, 5, 1);
	near(tally_figure(&m, "x").value, 2 / 102.0, "moments outside of the period count at its ends");
}

static void uses(void)
{
	struct lock_watch glibc = { 0 }, musl = { .musl = 1 };

	ok(tally_is_wait(FUTEX_WAIT | FUTEX_PRIVATE_FLAG) && tally_is_wait(FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME), "waits");
	ok(!tally_is_wait(FUTEX_WAKE | FUTEX_PRIVATE_FLAG) && !tally_is_wait(FUTEX_REQUEUE), "no waits");
	ok(tally_use(&glibc, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2) == LOCK_USE_LOCK, "glibc: a mutex");
	ok(tally_use(&glibc, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 2) == LOCK_USE_EVENT, "glibc: a condition");
	ok(tally_use(&glibc, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 4711) == LOCK_USE_EVENT, "glibc: the end of a thread");
	ok(tally_use(&musl, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0x80000005) == LOCK_USE_LOCK, "musl: a lock");
	ok(tally_use(&musl, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 2) == LOCK_USE_EVENT, "musl: a condition");
	ok(tally_use(&glibc, FUTEX_LOCK_PI, 0) == LOCK_USE_LOCK, "a lock with priority inheritance");
}

static void rows(void)
{
	struct lock_known known[] = { { "musl mallocng", { "musl malloc lock", 0x1000, HEAP_LOCK_MUSL } } };
	struct lock_watch w = { .known = known, .nknown = 1 };
	struct lock_report r = { 0 };
	uint64_t a[] = { 1, 2, 3 }, b[] = { 1, 2 };

	struct lock_row *row = tally_row(&w, &r, 0x1000);
	ok(!strcmp(row->name, "musl malloc lock") && !strcmp(row->allocator, "musl mallocng"), "a known lock");
	tally_stack(row, a, 3, 0, 2, LOCK_UNKNOWN);
	tally_stack(row, b, 2, 0, 5, LOCK_UNKNOWN);
	tally_stack(row, a, 3, 0, 4, LOCK_UNKNOWN);
	tally_stack(row, a, 0, 0, 4, LOCK_UNKNOWN);
	ok(row->nstacks == 2, "equal stacks are one");
	tally_sort(row);
	ok(row->stack[0].waits == 6 && row->stack[0].depth == 3, "the most expensive first");
	row = tally_row(&w, &r, 0x2000);
	ok(!*row->allocator && !strcmp(row->name, "futex 0x2000"), "an unknown one is nobody's");
	ok(tally_row(&w, &r, 0x1000)->nstacks == 2 && r.nrows == 2, "one row a lock");
	for (uint64_t i = 0; i < 100000; i++) tally_row(&w, &r, 0x10000 + i);
	ok(r.nrows < 5000 && !tally_row(&w, &r, 1), "however many a target makes");
	lock_report_free(&r);
}

/* The word counts who is inside, the trace knows where from: the total is the word's, the shares are the trace's. */
static void merging(void)
{
	struct lock_known known[] = { { "musl mallocng", { "musl malloc lock", 0x1000, HEAP_LOCK_MUSL } } };
	struct target t = { 0 };
	struct lock_watch w = { .t = &t, .known = known, .nknown = 1 };
	struct lock_report word = { 0 }, trace = { 0 }, all = { .period_s = 10 };
	uint64_t a[] = { 1 }, b[] = { 2 };
	struct lock_row *row = tally_row(&w, &word, 0x1000);

	row->lost_s_per_s = (struct lock_figure){ 3, 0.1, "word" };
	row = tally_row(&w, &trace, 0x1000);
	row->lost_s_per_s = (struct lock_figure){ 1, 0.1, "trace" };
	row->waits_per_s = (struct lock_figure){ 500, 1, "trace" };
	tally_stack(row, a, 1, 0, 30, LOCK_UNKNOWN);
	tally_stack(row, b, 1, 0, 10, LOCK_UNKNOWN);
	tally_waiter(row, 7, "seven", 30, LOCK_UNKNOWN);
	tally_waiter(row, 8, "eight", 90, LOCK_UNKNOWN);
	row = tally_row(&w, &trace, 0x2000);
	row->use = LOCK_USE_LOCK;
	row->lost_s_per_s = (struct lock_figure){ 1, 0.1, "trace" };
	tally_row(&w, &trace, 0x1000)->wake_s_per_s = (struct lock_figure){ 2, 0.1, "trace" };
	all.threads = 4;
	row = tally_row(&w, &trace, 0x3000);
	row->lost_s_per_s = (struct lock_figure){ 5, 0.1, "trace" };
	merge(&w, &all, &word);
	merge(&w, &all, &trace);
	merge_done(&w, &all);

	ok(all.nrows == 3 && all.row[0].addr == 0x1000 && all.row[1].addr == 0x2000 && all.row[2].addr == 0x3000, "the allocator's, then locks, then events");
	row = &all.row[0];
	ok(row->lost_s_per_s.value == 3 && !strcmp(row->lost_s_per_s.source, "word"), "the first source's word is kept");
	ok(row->waits_per_s.value == 500, "what it does not know comes from the next");
	near(row->stack[0].lost_s, 22.5, "three quarters of 3 thread-seconds a second, for 10 seconds");
	near(row->stack[0].waits, 3750, "and of 500 waits a second");
	ok(row->waiter[0].tid == 8 && row->waiter[0].share == 0.75, "who waits most");
	near(all.allocator_lost, 3, "allocator");
	near(all.cost, 5, "the sum of its parts");
	near(all.cost_error, 1, "what is more than all threads is its error");
	near(all.all_lost, 4, "all locks; who waits for an event loses nothing");
	lock_report_free(&word);
	lock_report_free(&trace);
	lock_report_free(&all);
}

int main(void)
{
	means();
	uses();
	rows();
	merging();
	return done();
}
