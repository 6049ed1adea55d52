/* mallocng: hostile heaps for the reader: a good one with words of it overwritten (where, how wide, what), in its context, its metas, or anywhere.
 * Whatever the reader makes of it, it ends, its sums are sums, and it tells of no byte that the process does not have, but for groups that claim the same. */
/* LINK: inspect/allocator/image.c inspect/allocator/musl.c inspect/allocator/musl_code_x86_64.c inspect/allocator/musl_count.c inspect/allocator/musl_find.c inspect/allocator/musl_lock.c inspect/allocator/musl_ranges.c inspect/allocator/musl_requested.c inspect/allocator/musl_version.c inspect/allocator/musl_walk.c inspect/model/heap.c inspect/target/err.c inspect/target/maps.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/mem_pid.c inspect/target/pagemap.c inspect/target/proc.c inspect/target/target.c inspect/target/target_peek.c inspect/target/xalloc.c */
#include "tests/mallocng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(int good)
{
	if (!good) abort();
}

static uint64_t told;

static void hear(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	(void)s;
	require(what <= ALLOCATOR_MANAGED && bytes && start >= NG_BASE && start < NG_END && bytes <= NG_END - start);
	told += bytes;
}

/* Six bytes each. */
static void overwrite(struct ng *n, const uint8_t *data, size_t size)
{
	for (; size >= 6; data += 6, size -= 6) {
		uint64_t where = data[0] | data[1] << 8, value = data[3] | (uint64_t)data[4] << 8;
		where = data[2] & 16 ? NG_CONTEXT + where % sizeof(struct musl_context) :
			data[2] & 32 ? NG_AREAS + where % (2 * MUSL_PAGE) : NG_BASE + where * 8;
		if (data[2] & 64) where &= ~(uint64_t)7;
		if (where > NG_END - 8) continue;
		value <<= data[5] % 64;
		if (data[2] & 128) value += NG_ANON;
		memcpy(ng_at(n, where), &value, (size_t[]){ 1, 2, 4, 8 }[data[2] % 4]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct ng ng;
	struct allocator_sink sink = { hear };
	struct allocator_found f;
	struct heap_allocator a = { 0 };
	struct err e;
	uint64_t live = 0;

	if (!n) return 0;
	ng_build(&ng);
	overwrite(&ng, data + 1, n - 1);
	ng_open(&ng);
	if (data[0] & 4) ng.t.at_random = 0;
	told = 0;
	if (allocator_musl.probe(&ng.t, &f, 1) == 1 && !allocator_musl.read(&ng.t, &f, data[0] & 3, &a, data[0] & 8 ? &sink : NULL, &e)) {
		require(a.mapped == a.live_bytes + a.free_bytes + a.metadata_bytes);
		require(a.status == (a.bad ? HEAP_TORN : HEAP_COMPLETE));
		require(told <= 2 * (2 * MUSL_METAS + 1) * sizeof ng.bytes);
		for (size_t i = 0; i < a.nclasses; i++) {
			live += a.class[i].live;
			require(!i || a.class[i].size > a.class[i - 1].size);
		}
		require(live + a.large_objects == a.live_objects);
	}
	heap_allocator_free(&a);
	ng_close(&ng);
	return 0;
}
