/* ledger.c: a ledger always closes; and every resident byte is accounted for once, whatever it is told. */
#include "inspect/model/ledger.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspect/allocator/residence.h"
#include "inspect/allocator/survey.h"
#include "inspect/target/err.h"
#include "inspect/target/smaps.h"
#include "inspect/target/target.h"
#include "tests/tap.h"

static uint64_t sum(const struct ledger *l)
{
	uint64_t n = 0;

	for (size_t i = 0; i < l->nrows; i++) n += l->row[i].bytes;
	return n;
}

static void rows(void)
{
	struct ledger l = { .rss = 1000 };

	ledger_add(&l, "a", 600, 0, 0, "");
	ledger_add(&l, "none", 0, 0, 0, "");
	ledger_add(&l, "b", 300, 5, 1, "estimate");
	ledger_close(&l);
	ok(l.nrows == 3 && sum(&l) == 1000 && ledger_bytes(&l, "unexplained") == 100, "what is left is unexplained");
	free(l.row);
	l = (struct ledger){ .rss = 1000 };
	ledger_add(&l, "a", 800, 0, 0, "");
	ledger_add(&l, "b", 700, 0, 1, "");
	ledger_close(&l);
	ok(sum(&l) == 1000 && ledger_bytes(&l, "a") == 800 && ledger_bytes(&l, "b") == 200, "what is derived gives way");
	ok(strstr(l.row[1].note, "reduced"), "and says so");
	free(l.row);
	l = (struct ledger){ .rss = 1000 };
	ledger_add(&l, "a", 3000, 0, 0, "");
	ledger_add(&l, "b", 700, 0, 1, "");
	ledger_close(&l);
	ok(sum(&l) == 1000, "it closes whatever the rows say");
	free(l.row);
}

static void told(void)
{
	enum { PAGE = 4096, N = 600 };
	struct target t;
	struct residence *r;
	struct residence_sum a = { 0 }, b = { 0 }, c = { 0 }, whole = { 0 }, rest = { 0 };
	struct err e;
	char *m = mmap(NULL, N * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = (uintptr_t)m;

	madvise(m, N * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < N; i += 2) m[i * PAGE] = 1;
	if (!ok(!target_open_pid(&t, getpid(), &e) && !residence_open(&t, &r, &e), "our own residence")) return;
	residence_take(r, at + 100, 200, &a);
	ok(a.resident == 200 && !a.absent, "part of a page that is there");
	residence_take(r, at + PAGE, 50, &a);
	ok(a.resident == 200 && a.absent == 50, "part of one that is not");
	residence_take(r, at, PAGE, &b);
	ok(b.resident == PAGE - 200, "what was told is not counted again");
	residence_take(r, at, PAGE, &b);
	ok(b.resident == PAGE - 200, "nor a third time");
	residence_take(r, at + 2 * PAGE + 10, 6 * PAGE, &c);
	ok(c.resident == 3 * PAGE && c.absent == 3 * PAGE, "pages there and not there: %llu", (unsigned long long)c.resident);
	residence_take_rest(r, at, N * PAGE, &whole, &rest);
	ok(a.resident + b.resident + c.resident + whole.resident + rest.resident == N / 2 * PAGE, "in the end every byte was counted once");
	ok(rest.resident == 10 + PAGE - 10, "leftovers of pages are told apart: %llu", (unsigned long long)rest.resident);
	a = (struct residence_sum){ 0 };
	for (int i = 0; i < 100000; i++) residence_take(r, 4096, UINT64_MAX, &a);
	ok(a.resident <= residence_total(r), "a liar is neither believed nor waited for");
	residence_close(r);
	target_close(&t);
}

/* A process that stands still: we ourselves, between two reads of what the kernel says. */
static void closes(void)
{
	struct target t;
	struct heap h;
	struct err e;
	struct smaps s;
	struct survey_options o = { .flags = 1 };
	pid_t child = fork();

	if (!child) {
		char *p = malloc(5 << 20);
		memset(p, 1, 5 << 20);
		__asm__ volatile ("" :: "r"(p) : "memory");
		for (;;) pause();
	}
	usleep(200000);
	int good = !target_open_pid(&t, child, &e) && !survey_read(&t, &o, &h, &e) && !smaps_read(&s, child, &e);
	if (ok(good, "a child of ours is read")) {
		ok(h.ledger.rss == s.rss, "resident memory is what the kernel says: %llu, %llu", (unsigned long long)h.ledger.rss, (unsigned long long)s.rss);
		ok(sum(&h.ledger) == h.ledger.rss, "the rows add up to it");
		ok(ledger_bytes(&h.ledger, "glibc: live") >= 5 << 20, "what it allocated is among them");
		heap_free(&h);
		target_close(&t);
	}
	kill(child, 9);
}

int main(void)
{
	rows();
	told();
	closes();
	return done();
}
