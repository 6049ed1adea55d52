/* lock_word.c: what a lock's word means, read out of this very process: words that stand still give figures that are known. */
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "inspect/lock/glance.h"
#include "inspect/lock/lock.h"
#include "inspect/target/err.h"
#include "inspect/target/target.h"
#include "tests/tap.h"

extern const struct lock_source lock_lockword;

static int32_t word[16][4];

static struct lock_report measure(struct target *t, enum heap_lock_kind kind, size_t n, int musl)
{
	static struct lock_known known[16];
	static const int stop;
	struct lock_options o = { .period_s = 0.05, .rate_hz = 2000 };
	struct lock_watch w = { .t = t, .known = known, .nknown = n, .o = &o, .musl = musl, .stop = &stop };
	struct lock_report r = { 0 };
	struct err e = { 0 };

	for (size_t i = 0; i < n; i++) {
		known[i] = (struct lock_known){ "it", { .addr = (uintptr_t)word[i], .kind = kind } };
		snprintf(known[i].lock.name, sizeof known[i].lock.name, "lock %zu", i);
	}
	if (lock_lockword.measure(&w, &r, &e)) printf("# %s\n", e.text);
	return r;
}

static void check(const struct lock_row *row, const char *what, double held, double inside, double contended, double waiting)
{
	printf("# %s\n", what);
	near(row->utilisation.value, held, "held");
	near(row->mean_inside.value, inside, "inside");
	near(row->contended.value, contended, "two or more");
	near(row->lost_s_per_s.value, waiting, "waiting");
}

static void musl(struct target *t)
{
	static const int32_t value[] = { 0, INT_MIN + 1, INT_MIN + 3, 4, 1, INT_MIN };

	for (size_t i = 0; i < 6; i++) word[i][0] = value[i];
	struct lock_report r = measure(t, HEAP_LOCK_MUSL, 6, 1);
	ok(r.nrows == 6, "a row for each lock");
	check(&r.row[0], "free", 0, 0, 0, 0);
	check(&r.row[1], "held by one, nobody waits", 1, 1, 0, 0);
	check(&r.row[2], "held, two wait", 1, 3, 1, 2);
	check(&r.row[3], "free, four on their way in", 0, 4, 1, 4);
	check(&r.row[4], "free, one on its way in", 0, 1, 0, 1);
	ok(!r.row[5].utilisation.source, "held by nobody makes no sense: left out");
	ok(r.nnotices && r.notice[0].state == LOCK_LIMITED, "and said");
	lock_report_free(&r);
}

static void others(struct target *t)
{
	memset(word, 0, sizeof word);
	word[1][0] = 1;
	word[2][0] = 2;
	word[3][0] = 77;
	struct lock_report r = measure(t, HEAP_LOCK_FUTEX3, 4, 0);
	check(&r.row[0], "three states: free", 0, LOCK_UNKNOWN, 0, LOCK_UNKNOWN);
	check(&r.row[1], "held", 1, LOCK_UNKNOWN, 0, LOCK_UNKNOWN);
	check(&r.row[2], "waited for: how many, the word does not tell", 1, LOCK_UNKNOWN, 1, LOCK_UNKNOWN);
	ok(!r.row[3].utilisation.source, "another value: left out");
	lock_report_free(&r);

	memset(word, 0, sizeof word);
	word[1][0] = 1;
	word[1][1] = 5;
	r = measure(t, HEAP_LOCK_PAIR, 2, 1);
	check(&r.row[0], "pair: free", 0, 0, 0, 0);
	check(&r.row[1], "pair: held, five wait", 1, 6, 1, 5);
	lock_report_free(&r);

	memset(word, 0, sizeof word);
	word[0][1] = 1234 | INT_MIN;
	word[0][2] = 2;
	r = measure(t, HEAP_LOCK_MUTEX, 1, 1);
	check(&r.row[0], "musl's mutex: held by thread 1234, two wait", 1, 3, 1, 2);
	lock_report_free(&r);
	r = measure(t, HEAP_LOCK_MUTEX, 1, 0);
	check(&r.row[0], "the same bytes by glibc's rule: free", 0, LOCK_UNKNOWN, 0, LOCK_UNKNOWN);
	lock_report_free(&r);
}

/* Once, without a source. */
static void glances(void)
{
	struct heap_lock lock[3] = { { .addr = (uintptr_t)word[0], .kind = HEAP_LOCK_MUSL }, { .addr = (uintptr_t)word[1], .kind = HEAP_LOCK_MUSL }, { .addr = (uintptr_t)word[2], .kind = HEAP_LOCK_FUTEX3 } };

	word[0][0] = INT_MIN + 3, word[1][0] = 0, word[2][0] = 2;
	ok(glance(getpid(), lock, 2, 1, 4) == 3, "a glance: the holder and two that wait for musl's lock");
	ok(glance(getpid(), lock, 3, 1, 4) == 4, "glibc's word counts its holder only");
	ok(glance(getpid(), lock, 0, 1, 4) < 0, "no locks: not known");
	word[2][0] = 77;
	ok(glance(getpid(), lock, 3, 1, 4) < 0, "a word that is none: not known");
	word[2][0] = 0, word[0][0] = INT_MIN + 3000;
	ok(glance(getpid(), lock, 3, 1, 4) < 0, "more than there are threads: not known");
	word[0][0] = 0, lock[1].addr = 8;
	ok(glance(getpid(), lock, 3, 1, 4) < 0, "one that cannot be read: not known");
}

int main(void)
{
	struct target t;
	struct err e = { 0 };

	if (!ok(!target_open_pid(&t, getpid(), &e), "this process: %s", e.text)) return done();
	musl(&t);
	others(&t);
	ok(word[0][2] == 2, "and nothing was written");
	target_close(&t);
	glances();
	return done();
}
