/* pieces.c: words of another process that change, in pages that are writable, that are not, and that are gone; by many at once and one by one. The
 * process is a child that waits, with three pages: its words are their own addresses. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect/attach/attach.h"
#include "inspect/attach/pieces.h"
#include "inspect/attach/session.h"
#include "inspect/attach/step.h"
#include "inspect/target/err.h"
#include "tests/tap.h"

enum { PAGE = 4096, WORDS = PAGE / 8, PAGES = 3, WRITES = 9 };
static uint64_t *page;                  /* writable, read-only, unmapped */
static pid_t child;
static int calls, stop_at;

static void start(struct session *s, int one_by_one)
{
	char path[64];

	child = fork();
	if (!child) for (;;) pause();
	snprintf(path, sizeof path, "/proc/%d/mem", (int)child);
	*s = (struct session){ .pid = child, .mem = open(path, O_RDWR), .one_by_one = one_by_one };
}

static void stop(struct session *s)
{
	close(s->mem);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static uint64_t word(struct session *s, size_t i)
{
	uint64_t v = 0;
	struct err e;

	return session_read(s, (uint64_t)(uintptr_t)&page[i], &v, sizeof v, &e) ? 0 : v;
}

static uint64_t own(size_t i) { return (uint64_t)(uintptr_t)&page[i]; }

/* Words of these numbers: neighbours, some with a gap, far away, in the next page. */
static const size_t at[WRITES] = { 0, 1, 5, 400, WORDS - 1, WORDS, WORDS + 3, WORDS + 4, 2 * WORDS + 7 };

static void fill(struct attach_write *w)
{
	for (size_t i = 0; i < WRITES; i++) {
		uint64_t old = own(at[i]), new = ~old;
		w[i] = (struct attach_write){ .addr = own(at[i]), .size = 8 };
		memcpy(w[i].old, &old, 8);
		memcpy(w[i].new, &new, 8);
	}
}

static void set(struct pieces *p)
{
	for (size_t i = 0; i < p->n; i++)
		for (const struct attach_write *w = p->piece[i].write; w < p->piece[i].write + p->piece[i].writes; w++) memcpy(pieces_bytes(&p->piece[i], w), w->new, w->size);
}

/* How many of the words that can be written are as new, and whether all others are as they were. */
static size_t as_new(struct session *s, int *others)
{
	size_t n = 0, k = 0;

	*others = 1;
	for (size_t i = 0; i < 2 * WORDS; i++) {
		uint64_t v = word(s, i);
		while (at[k] < i) k++;
		if (at[k] == i && v == ~own(i)) n++;
		else *others &= v == own(i);
	}
	return n;
}

static int hook(const char *name)
{
	(void)name;
	return calls++ == stop_at;
}

static void test(const char *what, const char *maps_text, int one_by_one)
{
	struct attach_write w[WRITES];
	struct pieces p;
	struct session s;
	struct maps maps;
	struct err e;
	size_t changed = 0;
	int others;

	if (maps_parse(&maps, maps_text, strlen(maps_text), &e)) printf("# %s\n", e.text);
	start(&s, one_by_one);
	fill(w);
	pieces_plan(&p, w, WRITES, &maps);
	ok(p.n == 4 && p.piece[0].writes == 3 && p.piece[1].writes == 2 && p.piece[2].writes == 3, "%s: what is close is one piece, within a page", what);
	pieces_read(&p, &s);
	ok(p.piece[0].known && p.piece[2].known && !p.piece[3].known && !memcmp(pieces_bytes(&p.piece[2], &w[6]), w[6].old, 8), "%s: read, but for what is not there", what);
	set(&p);
	calls = 0, stop_at = 0;
	ok(pieces_write(&p, &s, "write", &e) && as_new(&s, &others) == 0 && others, "%s: the first step fails: nothing is stored", what);
	stop_at = -1;
	ok(!pieces_write(&p, &s, "write", &e) && as_new(&s, &others) == WRITES - 1 && others, "%s: stored, and nothing else", what);
	uint64_t mine = 1;
	session_write(&s, w[1].addr, &mine, sizeof mine, &e);
	pieces_read(&p, &s);
	ok(pieces_take_back(&p, &changed) == WRITES - 2 && changed == 2, "%s: back, but for what is another's by now, and what is gone", what);
	ok(!pieces_write(&p, &s, "write", &e) && as_new(&s, &others) == 0 && word(&s, 1) == 1, "%s: as it was", what);
	pieces_free(&p);
	maps_free(&maps);
	stop(&s);
}

/* What lies between the words of a writable page is another's, who may write it meanwhile. */
static void test_between(const struct maps *maps)
{
	struct attach_write w[WRITES];
	struct pieces p;
	struct session s;
	struct err e;
	uint64_t other = 77;

	start(&s, 0);
	fill(w);
	pieces_plan(&p, w, WRITES, maps);
	pieces_read(&p, &s);
	set(&p);
	session_write(&s, own(3), &other, sizeof other, &e);
	ok(!pieces_write(&p, &s, "write", &e) && word(&s, 3) == 77 && word(&s, 5) == ~own(5), "what lies between is not written");
	pieces_free(&p);
	stop(&s);
}

int main(void)
{
	char right[256], wrong[256];
	struct maps maps;
	struct err e;

	page = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < PAGES * WORDS; i++) page[i] = own(i);
	mprotect(page + WORDS, PAGE, PROT_READ);
	munmap(page + 2 * WORDS, PAGE);
	step_hook = hook;
	unsigned long long a = own(0);
	snprintf(right, sizeof right, "%llx-%llx rw-p 0 0:0 0\n%llx-%llx r--p 0 0:0 0\n", a, a + PAGE, a + PAGE, a + 2 * PAGE);
	snprintf(wrong, sizeof wrong, "%llx-%llx r--p 0 0:0 0\n%llx-%llx rw-p 0 0:0 0\n", a, a + PAGE, a + PAGE, a + 2 * PAGE);
	test("many at once", right, 0);
	test("one by one", right, 1);
	test("with protections that are others since", wrong, 0);
	if (!maps_parse(&maps, right, strlen(right), &e)) test_between(&maps);
	maps_free(&maps);
	return done();
}
