/* tcmalloc.c: tcmalloc's reader on a heap made by hand, and on what has been broken in it. */
#include "tests/tcmalloc.h"
#include "tests/tap.h"

extern const struct allocator allocator_tcmalloc;

static void whole(unsigned flags, const char *what)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;
	struct heap_class *c;

	tc_build(&s);
	if (!ok(sparse_look(&s, &allocator_tcmalloc, flags, &a, &sum) == 1, "%s: found once", what)) return;
	ok(a.status == HEAP_COMPLETE && !a.bad, "%s: complete %s", what, a.status_text);
	ok(a.live_objects == TC_LIVE + 1 && a.live_bytes == TC_LIVE * 32 + 16384, "%s: %llu objects, %llu bytes live", what, (unsigned long long)a.live_objects, (unsigned long long)a.live_bytes);
	ok(a.cached_objects == TC_TRANSFER + TC_CACHED && a.cached_bytes == 40 * 32, "%s: what is kept for threads", what);
	ok(a.free_bytes == 56 * 32 + 7 * 8192, "%s: %llu bytes free", what, (unsigned long long)a.free_bytes);
	ok(a.large_objects == 1 && a.large_bytes == 16384 && a.mapped == 10 * 8192, "%s: large blocks, all of it", what);
	c = sparse_class(&a, 32);
	ok(c && c->live == TC_LIVE && c->cached == 40 && c->free == 56 && c->slabs == 1 && !c->pinned, "%s: a class", what);
	ok(a.nlocks == 1 && a.lock[0].addr == tc_list(4) && a.lock[0].kind == HEAP_LOCK_SPIN && !strcmp(a.lock[0].name, "central list 4 (32 B)"), "%s: the lock of a list that was used", what);
	ok(sum.what[ALLOCATOR_TRIMMABLE] == 7 * 8192, "%s: free spans are told", what);
	if (flags & ALLOCATOR_FULL) {
		ok(sum.what[ALLOCATOR_CACHED] == 40 * 32 && sum.what[ALLOCATOR_FREE] == 56 * 32, "%s: cached and free objects are told", what);
		ok(sum.what[ALLOCATOR_LIVE] == TC_OUT * 32 + 16384, "%s: what was handed out is told", what);
	} else ok(sum.what[ALLOCATOR_MANAGED] == 8192 && sum.what[ALLOCATOR_LIVE] == 16384, "%s: a class's spans are told in sums", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

static void broken(const char *what, uint64_t at, uint64_t value)
{
	struct heap_allocator a;
	struct sparse s;

	tc_build(&s);
	ok(sparse_torn(&s, &allocator_tcmalloc, ALLOCATOR_FULL, at, value, &a), "%s: %s", what, a.status_text);
	heap_allocator_free(&a);
	sparse_free(&s);
}

static void absent(const char *what, uint64_t at, uint64_t value)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;

	tc_build(&s);
	put64(&s, at, value);
	ok(!sparse_look(&s, &allocator_tcmalloc, 0, &a, &sum), "%s: not found", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

int main(void)
{
	whole(0, "quick");
	whole(ALLOCATOR_FULL, "full");
	broken("a span of no pages", TC_SPANS + 48 + 8, 0);
	broken("a span of 2^60 pages", TC_SPANS + 48 + 8, 1ull << 60);
	broken("a span elsewhere", TC_SPANS + 48, 12345);
	broken("more objects than room", TC_SPANS + 40, 300 | 4 << 16);
	broken("a class that is not", TC_SPANS + 40, 1 | 99 << 16);
	broken("a list of free objects that is a circle", TC_HEAP + 255 * 32, TC_HEAP + TC_OUT * 32);
	broken("a list of free objects into nowhere", TC_HEAP + 210 * 32, 0x7777777770);
	broken("a cached object into nowhere", TC_HEAP + 12 * 32, 0x7777777770);
	broken("a thread with a million objects", TC_CACHE + 4 * 32 + 8, 1 << 20);
	broken("a transfer cache of 1000 slots", tc_list(4) + TCMALLOC_LIST_USED, 1000);
	broken("threads' caches in a circle", TC_CACHE + TCMALLOC_CACHE_NEXT_OLD, TC_CACHE);
	broken("the page heap's own sum", TC_STATS, 11 * 8192);
	broken("the list's own count", tc_list(4) + TCMALLOC_LIST_FREE, 57);
	absent("sizes that do not rise", TC_SIZES + 40 + 4, 8);
	absent("lists without numbers", tc_list(7) + 8, 9);
	return done();
}
