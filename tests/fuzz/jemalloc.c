/* jemalloc.c: hostile heaps for jemalloc's reader: a good one with words of it overwritten, before it is
 * found or after. The first byte says which and how much is read; then six bytes each: where, how wide, what. Whatever is read, in bounded time and
 * memory, must keep the promises of heap.h and of the sink. */
/* LINK: inspect/allocator/jemalloc.c inspect/allocator/jemalloc_base.c inspect/allocator/jemalloc_decay.c inspect/allocator/jemalloc_ecache.c inspect/allocator/jemalloc_bins.c inspect/allocator/jemalloc_extents.c inspect/allocator/jemalloc_find.c inspect/allocator/jemalloc_tcache.c inspect/allocator/window.c inspect/model/heap.c inspect/target/target.c inspect/target/target_peek.c inspect/target/target_thread_x86_64.c inspect/target/proc.c inspect/target/mem_pid.c inspect/target/pagemap.c inspect/target/maps.c inspect/target/err.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
#include "tests/jemalloc.h"
#include "tests/sparse_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

extern const struct allocator allocator_jemalloc;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sparse s;

	if (!n) return 0;
	je_build(&s);
	sparse_fuzz(&s, &allocator_jemalloc, data, n);
	sparse_free(&s);
	return 0;
}
