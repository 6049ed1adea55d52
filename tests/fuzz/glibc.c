/* glibc.c: hostile heaps for glibc's reader: a good one of any layout with words of it overwritten. The first byte chooses the layout and
 * how much is read; then six bytes each: where, how wide, what. Whatever is read, in bounded time and memory, must keep the promises of
 * heap.h and of the sink. */
/* LINK: inspect/allocator/glibc.c inspect/allocator/glibc_find.c inspect/allocator/glibc_segments.c inspect/allocator/glibc_bins.c inspect/allocator/glibc_tcache.c inspect/allocator/glibc_walk.c inspect/allocator/glibc_mmap.c inspect/model/heap.c inspect/target/target.c inspect/target/target_peek.c inspect/target/target_thread_x86_64.c inspect/target/proc.c inspect/target/mem_pid.c inspect/target/pagemap.c inspect/target/maps.c inspect/target/err.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
#include "tests/heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

extern const struct allocator allocator_glibc;

struct sum { struct allocator_sink sink; uint64_t bytes; };

static void require(int good)
{
	if (!good) abort();
}

static void range(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	require(what <= ALLOCATOR_MANAGED && bytes && start + bytes > start);
	require(start >= FIX_DATA && start + bytes <= FIX_END);
	((struct sum *)s)->bytes += bytes;
}

/* Offsets are words; the first half of the space is where the state is. */
static void overwrite(unsigned char *bytes, const uint8_t *data, size_t n)
{
	for (; n >= 6; data += 6, n -= 6) {
		size_t at = (size_t)(data[0] | data[1] << 8) * 8 % (FIX_SIZE - 8);
		uint64_t value = data[3] | (uint64_t)data[4] << 8;
		/* small numbers, large ones, and addresses that exist */
		if (data[5] & 64) value = FIX_DATA + value * 16 % FIX_SIZE;
		else value <<= data[5] % 64;
		if (data[2] & 8) at &= 0x3fff;
		memcpy(bytes + at, &value, (size_t[]){ 1, 2, 4, 8 }[data[2] % 4]);
	}
}

static void check(const struct heap_allocator *a)
{
	require(a->status <= HEAP_UNSUPPORTED && (a->status != HEAP_COMPLETE || !a->bad));
	for (size_t i = 1; i < a->nclasses; i++) require(a->class[i - 1].size < a->class[i].size);
	for (size_t i = 0; i < a->narenas; i++) require(a->arena[i].addr && memchr(a->arena[i].name, 0, sizeof a->arena[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct { unsigned layout, par; int safe; } kind[8] = {
		{ 2, 3, 1 }, { 2, 2, 1 }, { 2, 2, 0 }, { 1, 1, 0 }, { 0, 0, 0 }, { 3, 4, 1 }, { 1, 0, 0 }, { 2, 3, 1 },
	};
	struct allocator_found found[4];
	struct fixture f;
	struct err e;

	if (!n) return 0;
	unsigned char *bytes = calloc(1, FIX_SIZE);
	if (!bytes) return 0;
	unsigned k = data[0] & 7;
	fix_build(&f, bytes, kind[k].layout, kind[k].par, kind[k].safe);
	overwrite(bytes, data + 1, n - 1);
	size_t found_n = allocator_glibc.probe(&f.target, found, 4);
	require(found_n <= 4);
	for (size_t i = 0; i < found_n; i++) {
		struct heap_allocator a = { 0 };
		struct sum s = { { range }, 0 };
		if (!allocator_glibc.read(&f.target, &found[i], data[0] & 8 ? 0 : ALLOCATOR_FULL, &a, &s.sink, &e)) check(&a);
		require(s.bytes <= 4 * FIX_SIZE);
		heap_allocator_free(&a);
	}
	fix_free(&f);
	free(bytes);
	return 0;
}
