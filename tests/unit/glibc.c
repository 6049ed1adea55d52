/* glibc.c: glibc's reader on heaps made by hand, in every layout that it knows, and on what has been broken in them. */
#include "tests/heap.h"

#include "tests/tap.h"

extern const struct allocator allocator_glibc;

struct sum { struct allocator_sink sink; uint64_t what[ALLOCATOR_MANAGED + 1]; };

static void range(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	(void)start;
	((struct sum *)s)->what[what] += bytes;
}

static unsigned char bytes[FIX_SIZE];

static size_t read_it(struct fixture *f, unsigned flags, struct heap_allocator *a, struct sum *sum)
{
	struct allocator_found found[4];
	struct err e;
	size_t n = allocator_glibc.probe(&f->target, found, 4);

	*a = (struct heap_allocator){ 0 };
	*sum = (struct sum){ { range }, { 0 } };
	if (n && allocator_glibc.read(&f->target, &found[0], flags, a, &sum->sink, &e)) return 0;
	return n;
}

static void whole(unsigned layout, unsigned par, int safe, const char *what)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, layout, par, safe);
	if (!ok(read_it(&f, ALLOCATOR_FULL, &a, &s) == 1, "%s: found once", what)) return;
	ok(a.status == HEAP_COMPLETE && !a.bad, "%s: complete %s", what, a.status_text);
	ok(a.live_objects == f.live_objects, "%s: %llu live objects", what, (unsigned long long)a.live_objects);
	ok(a.live_bytes == f.live_bytes, "%s: %llu live bytes", what, (unsigned long long)a.live_bytes);
	ok(a.free_bytes == f.free_bytes, "%s: %llu free bytes, want %llu", what, (unsigned long long)a.free_bytes, (unsigned long long)f.free_bytes);
	ok(a.cached_objects == f.cached_objects && a.cached_bytes == f.cached_bytes, "%s: %llu in the tcache", what, (unsigned long long)a.cached_objects);
	ok(a.narenas == 2 && a.nlocks == 2, "%s: two arenas", what);
	ok(s.what[ALLOCATOR_LIVE] == a.live_bytes && s.what[ALLOCATOR_FREE] + s.what[ALLOCATOR_TRIMMABLE] == a.free_bytes, "%s: ranges tell the same", what);
	heap_allocator_free(&a);
	fix_free(&f);
}

/* `at` gets `value`: the reader must notice, and tell the address space all the same. */
static void broken(const char *what, uint64_t at, uint64_t value)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;
	uint64_t told = 0;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	fix_u64(&f, at, value);
	read_it(&f, ALLOCATOR_FULL, &a, &s);
	for (unsigned i = 0; i <= ALLOCATOR_MANAGED; i++) told += s.what[i];
	ok(a.status == HEAP_TORN && a.bad && *a.status_text, "%s: %s", what, a.status_text);
	ok(told <= 3 * FIX_BLOCK, "%s: not more told than there is", what);
	heap_allocator_free(&a);
	fix_free(&f);
}

/* The heap has grown since the map was read: brk moved its end from in front of the top to behind it. */
static void grown(void)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	f.target.maps.map[2].end = FIX_HEAP + FIX_BLOCK - 0x2000;
	read_it(&f, ALLOCATOR_FULL, &a, &s);
	ok(a.status == HEAP_COMPLETE && a.live_bytes == f.live_bytes, "a heap that has grown since its map was read: %s", a.status_text);
	heap_allocator_free(&a);
	fix_free(&f);
}

/* n words from `at` on are `value`, and the reader loses arena `which`: its figures and their sums are unknown then, not small. */
static void unknown(const char *what, uint64_t at, uint64_t n, uint64_t value, unsigned which)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	for (uint64_t i = 0; i < n; i++) fix_u64(&f, at + 8 * i, value);
	read_it(&f, ALLOCATOR_FULL, &a, &s);
	ok(a.status == HEAP_TORN && a.live_bytes == HEAP_UNKNOWN && a.live_objects == HEAP_UNKNOWN && a.free_bytes == HEAP_UNKNOWN, "%s: the sums are not known", what);
	if (!ok(a.narenas == 2, "%s: two arenas", what)) return;
	ok(a.arena[which].live == HEAP_UNKNOWN && a.arena[which].free == HEAP_UNKNOWN && a.arena[which].mapped, "%s: nor is the arena", what);
	ok(a.arena[!which].live != HEAP_UNKNOWN && a.arena[!which].live > 0, "%s: the other one is", what);
	ok(a.cached_bytes == f.cached_bytes && s.what[ALLOCATOR_MANAGED] > 0, "%s: the rest is told", what);
	heap_allocator_free(&a);
	fix_free(&f);
}

/* Arenas come while the ring is read. */
static void ring(void)
{
	struct allocator_found found;
	struct heap_allocator a = { 0 };
	struct fixture f;
	struct err e;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	if (!ok(allocator_glibc.probe(&f.target, &found, 1) == 1, "found")) return;
	fix_u64(&f, FIX_MAIN + glibc_layouts[2].next, FIX_HEAP);
	ok(!allocator_glibc.read(&f.target, &found, ALLOCATOR_FULL, &a, NULL, &e) && a.status == HEAP_TORN, "a ring that does not close: %s", a.status_text);
	ok(a.live_bytes == HEAP_UNKNOWN && a.mapped == HEAP_UNKNOWN && a.cached_bytes == HEAP_UNKNOWN, "and nothing is known");
	heap_allocator_free(&a);
	fix_free(&f);
}

/* The top was read at an address where there is none any more: the chunks lead to it. */
static void moved(void)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	fix_u64(&f, FIX_MAIN + 96, FIX_HEAP + FIX_BLOCK - 0x100);
	fix_u64(&f, FIX_HEAP + FIX_BLOCK - 0x100 + 8, 0x100);
	read_it(&f, ALLOCATOR_FULL, &a, &s);
	ok(a.live_bytes == f.live_bytes && a.free_bytes == f.free_bytes, "a top that has moved back: %llu live, %llu free", (unsigned long long)a.live_bytes, (unsigned long long)a.free_bytes);
	heap_allocator_free(&a);
	fix_free(&f);
}

/* A thread that stands still between its change to a list and the one to its count. */
static void between(uint64_t count, int good)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	fix_u16(&f, FIX_HEAP + 16 + 2, count);
	read_it(&f, ALLOCATOR_FULL, &a, &s);
	if (good) ok(a.status == HEAP_COMPLETE && a.cached_objects == f.cached_objects, "a tcache's list of 2, counted as %d: %llu", (int)count, (unsigned long long)a.cached_objects);
	else ok(a.status == HEAP_TORN, "a tcache's list of 2, counted as %d: torn", (int)count);
	heap_allocator_free(&a);
	fix_free(&f);
}

static void absent(void)
{
	struct fixture f;
	struct heap_allocator a;
	struct sum s;

	memset(bytes, 0, sizeof bytes);
	fix_build(&f, bytes, 2, 3, 1);
	memset(bytes, 0, 0x4000);
	ok(read_it(&f, ALLOCATOR_FULL, &a, &s) == 0, "nothing is found in zeros");
	fix_free(&f);
}

int main(void)
{
	grown();
	whole(0, 0, 0, "2.17 to 2.22");
	whole(1, 0, 0, "2.23");
	whole(1, 1, 0, "2.24, 2.25");
	whole(2, 2, 0, "2.30, 2.31");
	whole(2, 2, 1, "2.32 to 2.34");
	whole(2, 3, 1, "2.35 to 2.41");
	whole(3, 4, 1, "2.43");
	broken("a chunk of 2^60 bytes", FIX_HEAP + 0x290 + 96 + 64 + 8, 1ull << 60);
	broken("a chunk of no bytes", FIX_HEAP + 0x290 + 96 + 64 + 8, 0);
	broken("a tcache entry into nowhere", FIX_HEAP + 16 + 128 + 8, 0x7777777770);
	broken("a tcache that is a circle", FIX_HEAP + 0x290 + 48 + 16, (FIX_HEAP + 0x290 + 16ull) ^ (FIX_HEAP + 0x290 + 48 + 16) >> 12);
	between(1, 1);
	between(3, 1);
	between(4, 0);
	broken("a fastbin that is a circle", FIX_HEAP + 0x290 + 96 + 16, (FIX_HEAP + 0x290 + 96ull) ^ (FIX_HEAP + 0x290 + 96 + 16) >> 12);
	broken("a top outside", FIX_MAIN + 96, 0x14020000);
	broken("a heap that belongs to nobody", FIX_ARENA + 16, 1ull << 60);
	broken("a mapped chunk that is none", FIX_MMAP + 8, 0x12345000);
	unknown("a top outside of its heap", FIX_ARENA + 0x30 + 96, 1, FIX_ARENA + 0x800, 1);
	unknown("zeros instead of chunks", FIX_HEAP + 0x1000, 0x1800, 0, 0);
	ring();
	moved();
	absent();
	return done();
}
