/* oldmalloc: hostile heaps for the reader of musl's former allocator: a good one with words of it overwritten (where, how wide, what), in its bins,
 * in front of its chunks, or anywhere. Whatever the reader makes of it, it ends, its sums are sums, and it tells of no byte that the process does not
 * have. */
/* LINK: inspect/allocator/image.c inspect/allocator/musl_version.c inspect/allocator/oldmalloc.c inspect/allocator/oldmalloc_find.c inspect/allocator/oldmalloc_walk.c inspect/model/heap.c inspect/target/err.c inspect/target/maps.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/mem_pid.c inspect/target/pagemap.c inspect/target/proc.c inspect/target/target.c inspect/target/target_peek.c inspect/target/xalloc.c */
#include "tests/oldmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(int good)
{
	if (!good) abort();
}

static uint64_t told;

static void hear(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	(void)s;
	require(what <= ALLOCATOR_MANAGED && bytes && start >= OM_BASE && start < OM_END && bytes <= OM_END - start);
	told += bytes;
}

/* Six bytes each. */
static void overwrite(struct om *o, const uint8_t *data, size_t size)
{
	for (; size >= 6; data += 6, size -= 6) {
		uint64_t where = data[0] | data[1] << 8, value = data[3] | (uint64_t)data[4] << 8;
		where = data[2] & 16 ? OM_STATE + where % sizeof(struct oldmalloc_state) :
			data[2] & 32 ? OM_BREAK + where * 16 : OM_BASE + where * 8;
		if (data[2] & 64) where &= ~(uint64_t)7;
		if (where > OM_END - 8) continue;
		value <<= data[5] % 64;
		if (data[2] & 128) value += OM_BREAK;
		memcpy(om_at(o, where), &value, (size_t[]){ 1, 2, 4, 8 }[data[2] % 4]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct om om;
	struct allocator_sink sink = { hear };
	struct allocator_found f;
	struct heap_allocator a = { 0 };
	struct err e;
	uint64_t live = 0, free = 0;

	if (!n) return 0;
	om_build(&om);
	overwrite(&om, data + 1, n - 1);
	om_open(&om);
	told = 0;
	if (allocator_oldmalloc.probe(&om.t, &f, 1) == 1 && !allocator_oldmalloc.read(&om.t, &f, ALLOCATOR_FULL, &a, data[0] & 1 ? &sink : NULL, &e)) {
		require(a.mapped >= a.live_bytes + a.free_bytes && a.mapped <= sizeof om.bytes && told <= a.mapped);
		require(a.status == (a.bad ? HEAP_TORN : HEAP_COMPLETE));
		require(a.bad || a.mapped == a.live_bytes + a.free_bytes + a.metadata_bytes);
		for (size_t i = 0; i < a.nclasses; i++) {
			live += a.class[i].live;
			free += a.class[i].free;
			require(!i || a.class[i].size > a.class[i - 1].size);
		}
		require(live + a.large_objects == a.live_objects && free <= a.free_objects);
	}
	heap_allocator_free(&a);
	om_close(&om);
	return 0;
}
