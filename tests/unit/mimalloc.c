/* mimalloc.c: mimalloc's reader on heaps made by hand, of both generations, and on what has been broken in them. */
#include "tests/mimalloc.h"
#include "tests/tap.h"

extern const struct allocator allocator_mimalloc;

static void whole(void (*build)(struct sparse *), unsigned flags, unsigned waiting, const char *what)
{
	uint64_t live = MI_USED - MI_REMOTE - waiting;
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;
	struct heap_class *c;

	build(&s);
	if (!ok(sparse_look(&s, &allocator_mimalloc, flags, &a, &sum) == 1, "%s: found once", what)) return;
	ok(a.status == HEAP_COMPLETE && !a.bad, "%s: complete %s", what, a.status_text);
	ok(a.live_objects == live + 1 && a.live_bytes == live * 64 + 131072, "%s: %llu objects, %llu bytes live", what, (unsigned long long)a.live_objects, (unsigned long long)a.live_bytes);
	ok(a.large_objects == 1 && a.large_bytes == 131072, "%s: large blocks", what);
	c = sparse_class(&a, 64);
	ok(c && c->live == live && c->free == MI_CAPACITY - live && c->slabs == 1, "%s: a class", what);
	ok(sparse_class(&a, 131072)->live == 1, "%s: another", what);
	ok(a.narenas >= 1 && a.arena[0].addr == MI_THREAD, "%s: the owner", what);
	if (flags & ALLOCATOR_FULL)
		ok(sum.what[ALLOCATOR_LIVE] == (MI_USED - MI_REMOTE) * 64 + 131072 && !sum.what[ALLOCATOR_MANAGED], "%s: blocks are told", what);
	else ok(sum.what[ALLOCATOR_MANAGED] == 65536 && sum.what[ALLOCATOR_LIVE] == 131072, "%s: pages are told in sums", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

static void broken(void (*build)(struct sparse *), const char *what, uint64_t at, uint64_t value)
{
	struct heap_allocator a;
	struct sparse s;

	build(&s);
	ok(sparse_torn(&s, &allocator_mimalloc, ALLOCATOR_FULL, at, value, &a), "%s: %s", what, a.status_text);
	heap_allocator_free(&a);
	sparse_free(&s);
}

static void absent(void (*build)(struct sparse *), const char *what, uint64_t at, uint64_t value)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;

	build(&s);
	put64(&s, at, value);
	ok(!sparse_look(&s, &allocator_mimalloc, 0, &a, &sum), "%s: not found", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

/* The thread that had the segment is gone, so what is freed in it waits in its pages' lists for ever. */
static void abandoned(unsigned flags, const char *what)
{
	struct heap_allocator a;
	struct sparse_sum sum;
	struct sparse s;

	mi_build_segment(&s);
	put64(&s, MI_SEGMENT + 256, 0);
	put64(&s, MI_SLICES + 80 + 48, 0);      /* nor has the page a heap */
	if (!ok(sparse_look(&s, &allocator_mimalloc, flags, &a, &sum) == 1 && a.status == HEAP_COMPLETE, "%s: complete %s", what, a.status_text)) return;
	ok(a.live_objects == MI_USED - MI_REMOTE + 1, "%s: %llu objects live", what, (unsigned long long)a.live_objects);
	ok(a.narenas == 1 && !a.arena[0].threads && a.arena[0].live == a.live_bytes, "%s: nobody's", what);
	heap_allocator_free(&a);
	sparse_free(&s);
}

int main(void)
{
	abandoned(0, "abandoned, quick");
	abandoned(ALLOCATOR_FULL, "abandoned, full");
	whole(mi_build_segment, 0, 1, "2.0.9, quick");
	whole(mi_build_segment, ALLOCATOR_FULL, 1, "2.0.9, full");
	whole(mi_build_map, 0, 0, "3.0, quick");
	whole(mi_build_map, ALLOCATOR_FULL, 0, "3.0, full");
	broken(mi_build_segment, "a slice of no slices", MI_SLICES + 4 * 80, 0);
	broken(mi_build_segment, "more in use than there is", MI_SLICES + 80 + 24, 101 | (uint64_t)64 << 32);
	broken(mi_build_segment, "a list of free blocks that is a circle", mi_block(89), mi_block(60));
	broken(mi_build_segment, "a list of free blocks that is too short", mi_block(70), 0);
	broken(mi_build_segment, "a list of another thread's into nowhere", mi_block(22), 0x7777777770);
	broken(mi_build_segment, "a heap's list into nowhere", MI_DELAYED, 0x7777777770);
	broken(mi_build_segment, "a heap's list that is a circle", mi_block(30), mi_block(30));
	broken(mi_build_map, "a record elsewhere", MI_SUB + (MI_BIG >> 16 & 8191) * 8, 0x7777777770);
	broken(mi_build_map, "blocks of 2^60 bytes", MI_PAGE + 40, 1ull << 60);
	broken(mi_build_map, "a list of free blocks into nowhere", mi_block(60), 0x7777777770);
	absent(mi_build_segment, "a number that is not the library's", MI_COOKIE, 1);
	absent(mi_build_segment, "slices that lead beyond the end", MI_SLICES + 4 * 80, 509);
	absent(mi_build_map, "blocks that its slices do not hold", MI_PAGE + 40, 640);
	absent(mi_build_map, "a pointer elsewhere", MI_POINTER, MI_MAP + 8);
	return done();
}
