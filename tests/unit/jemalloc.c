/* jemalloc.c: jemalloc's reader on a heap made by hand, and on what has been broken in it. */
#include "tests/jemalloc.h"
#include <math.h>
#include "tests/tap.h"

extern const struct allocator allocator_jemalloc;

static void sizes(void)
{
	unsigned wrong = 0;

	ok(jemalloc_size(0) == 8 && jemalloc_size(1) == 16 && jemalloc_size(8) == 128 && jemalloc_size(9) == 160 && jemalloc_size(35) == 14336 && jemalloc_size(36) == 16384, "sizes of classes");
	for (unsigned i = 0; i < JEMALLOC_SIZES; i++) wrong += jemalloc_szind(jemalloc_size(i)) != i || (i && jemalloc_szind(jemalloc_size(i - 1) + 1) != i);
	ok(!wrong, "class of a size");
}

static void whole(unsigned flags, const char *what)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;
	struct heap_class *c;

	je_build(&s);
	if (!ok(sparse_look(&s, &allocator_jemalloc, flags, &a, &sum) == 1, "%s: found once", what)) return;
	ok(a.status == HEAP_COMPLETE && !a.bad, "%s: complete %s", what, a.status_text);
	ok(a.state == JE_ARENAS, "%s: the array, not another variable", what);
	ok(a.live_objects == JE_LIVE && a.live_bytes == JE_LIVE_BYTES, "%s: %llu objects, %llu bytes live", what, (unsigned long long)a.live_objects, (unsigned long long)a.live_bytes);
	ok(a.cached_objects == JE_CACHED && a.cached_bytes == JE_CACHED * 32, "%s: what the tcache has", what);
	ok(a.free_bytes == JE_FREE_BYTES, "%s: %llu bytes free", what, (unsigned long long)a.free_bytes);
	ok(a.metadata_bytes == 0x14000 + 28672, "%s: metadata with the tcache's stacks", what);
	ok(a.large_objects == 1 && a.large_bytes == 16384, "%s: large blocks", what);
	c = sparse_class(&a, 32);
	ok(c && c->live == 90 && c->cached == 10 && c->free == 28 && c->slabs == 1, "%s: a class", what);
	ok(a.narenas == 1 && a.arena[0].threads == 1 && a.arena[0].live == JE_LIVE_BYTES && a.arena[0].cached == 320, "%s: the arena", what);
	ok(a.nlocks == 2 && a.lock[0].addr == je_bin(2) + 64 && a.lock[0].kind == HEAP_LOCK_MUTEX && !strcmp(a.lock[0].name, "arena 0 bin 32 B"), "%s: locks of bins that were used", what);
	struct jemalloc_mutex m;
	ok(!jemalloc_mutex_read(&s.target, a.lock[0].addr, &m) && m.ops == 50 && m.waits == 2 && m.wait_ns == 1000, "%s: a lock's counters", what);
	ok(sum.what[ALLOCATOR_TRIMMABLE] == 11 * 4096 && sum.what[ALLOCATOR_METADATA] == (2 << 20) + JE_CACHE_BINS * JE_ROOM + 16, "%s: ranges", what);
	if (flags & ALLOCATOR_FULL) {
		ok(sum.what[ALLOCATOR_LIVE] == 105 * 32 - 5 * 32 + 5 * 128 + 20480 + 32768, "%s: regions of slabs are told", what);
		ok(sum.what[ALLOCATOR_FREE] == 28 * 32 + 27 * 128 && c->pinned == 0 && sparse_class(&a, 128)->pinned == 1, "%s: free ones too", what);
	} else ok(sum.what[ALLOCATOR_MANAGED] == 8192, "%s: slabs are told in sums", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

static void broken(const char *what, uint64_t at, uint64_t value)
{
	struct heap_allocator a;
	struct sparse s;

	je_build(&s);
	ok(sparse_torn(&s, &allocator_jemalloc, ALLOCATOR_FULL, at, value, &a), "%s: %s", what, a.status_text);
	heap_allocator_free(&a);
	sparse_free(&s);
}

/* A change that makes it be something else; or not: a bin that threads wait for may be in the middle of one when it is looked at. */
static void probed(const char *what, uint64_t at, uint64_t value, size_t want)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;

	je_build(&s);
	put64(&s, at, value);
	ok(sparse_look(&s, &allocator_jemalloc, 0, &a, &sum) == want, "%s: %sfound", what, want ? "" : "not ");
	heap_allocator_free(&a);
	sparse_free(&s);
}

static void without_tree(void)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;

	je_build(&s);
	put64(&s, JE_ROOT + (JE_HEAP >> 30) * 8, 0);
	ok(sparse_look(&s, &allocator_jemalloc, 0, &a, &sum) == 1 && a.large_bytes == HEAP_UNKNOWN && a.mapped == HEAP_UNKNOWN && *a.status_text, "without its tree large blocks are not known");
	ok(sparse_class(&a, 128)->live == 5, "and small ones are");
	heap_allocator_free(&a);
	sparse_free(&s);
}

static double fact(const struct heap_allocator *a, const char *name)
{
	for (size_t i = 0; i < a->nfacts; i++)
		if (!strcmp(a->fact[i].name, name)) return a->fact[i].value;
	return NAN;
}

/* A record of decay: time in ms, interval, epoch, random number, deadline. */
static void put_decay(struct sparse *s, uint64_t at, int64_t ms, uint64_t interval, uint64_t jitter, uint64_t deadline)
{
	put64(s, at, (uint64_t)ms);
	put64(s, at + 8, interval);
	put64(s, at + 16, 7000000000);
	put64(s, at + 24, jitter);
	put64(s, at + 32, 7000000000 + deadline);
}

static void decay(const char *what, int64_t ms, uint64_t interval, uint64_t jitter, uint64_t deadline, int found)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;
	uint64_t dirty = JE_ARENA + 0x300, muzzy = dirty + 1760;

	je_build(&s);
	put_decay(&s, dirty, ms, interval, jitter, deadline);
	put_decay(&s, muzzy, 0, 0, muzzy - 120, 0);
	sparse_look(&s, &allocator_jemalloc, 0, &a, &sum);
	ok(found ? fact(&a, "dirty_decay") == (double)ms && fact(&a, "muzzy_decay") == 0 : isnan(fact(&a, "dirty_decay")), "decay: %s", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

/* A collection of free extents: a mutex that was taken so often, and last: which it is, whose, whether it coalesces late. */
static void put_ecache(struct sparse *s, unsigned i, uint64_t size, unsigned arena, unsigned late, uint64_t ops)
{
	uint64_t first = JE_ARENA + 0x200 + i * size;

	put64(s, first + 56, ops);
	put32(s, first + size - 16, i + 1);
	put32(s, first + size - 12, arena);
	put32(s, first + size - 8, late);
}

static void ecaches(const char *what, uint64_t size, unsigned arena, unsigned late, uint64_t value, const char *want)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;
	char got[128] = "";

	je_build(&s);
	put_ecache(&s, 0, 0x400, 0, 1, 77);
	put_ecache(&s, 1, 0x400, arena, late, 0);
	put_ecache(&s, 2, size, 0, 0, 5);
	put64(&s, JE_ARENA + 0x200 + 24, value);        /* taken after spinning */
	sparse_look(&s, &allocator_jemalloc, 0, &a, &sum);
	for (size_t i = 0, len = 0; i < a.nlocks; i++)
		if (strstr(a.lock[i].name, "extents")) len += (size_t)snprintf(got + len, sizeof got - len, "%s at %llx;", a.lock[i].name, (unsigned long long)(a.lock[i].addr - JE_ARENA));
	ok(!strcmp(got, want), "%s: %s", what, got);
	heap_allocator_free(&a);
	sparse_free(&s);
}

int main(void)
{
	ecaches("extents", 0x400, 0, 0, 70, "arena 0 dirty extents at 240;arena 0 retained extents at a40;");
	ecaches("extents in other distances", 0x408, 0, 0, 70, "");
	ecaches("extents of another arena", 0x400, 1, 0, 70, "");
	ecaches("muzzy extents that coalesce late", 0x400, 0, 1, 70, "");
	ecaches("a mutex that span more than it was taken", 0x400, 0, 0, 78, "");
	probed("counters of a moment ago", je_bin(8) + 112, 6, 1);
	decay("10 s", 10000, 50000000, 4711, 60000000, 1);
	decay("never", -1, 0, JE_ARENA + 0x300 - 120, 0, 1);
	decay("an interval that is none", 10000, 50000001, 4711, 60000000, 0);
	decay("due too late", 10000, 50000000, 4711, 100000001, 0);
	decay("never, but another's number", -1, 0, JE_ARENA + 0x308, 0, 0);
	sizes();
	whole(0, "quick");
	whole(ALLOCATOR_FULL, "full");
	without_tree();
	broken("counters that do not add up", je_bin(8) + 112 + 24, 6);
	broken("a count of 2^60", je_bin(2) + 112, 1ull << 60);
	broken("a tcache into nowhere", JE_LIST + 16, 0x7777777770);
	broken("a tcache with half an object", JE_CACHE + 2 * 24, JE_STACKS + 8 + 2 * JE_ROOM + 4);
	broken("a bitmap with one more", JE_EDATA + 128 + JEMALLOC_BITMAP, 0xffffffff);
	broken("a record that is another's", JE_EDATA + 8, JE_HEAP + 0x1000);
	broken("an extent of an arena that is not", JE_EDATA + 2 * 128, 36 << 20 | 7);
	broken("a block smaller than its class", JE_LEAF + 518 * 8, 0);
	broken("a slab that has gone", JE_LEAF + 513 * 8, 0);
	probed("no table, old bins", JE_INFOS, 7, 0);
	probed("an arena without a base", JE_BINS - 16, 0, 0);
	probed("a block of odd size", JE_BLOCK, 12345, 0);
	probed("slabs of other classes", je_bin(2) + 192, JE_EDATA + 128, 0);
	return done();
}
