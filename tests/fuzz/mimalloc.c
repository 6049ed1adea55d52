/* mimalloc.c: hostile heaps for mimalloc's reader: a good one of either generation with words of it overwritten, before it is
 * found or after. The first byte says which and how much is read; then six bytes each: where, how wide, what. Whatever is read, in bounded time and
 * memory, must keep the promises of heap.h and of the sink. */
/* LINK: inspect/allocator/mimalloc.c inspect/allocator/mimalloc_map.c inspect/allocator/mimalloc_page.c inspect/allocator/mimalloc_segment.c inspect/allocator/window.c inspect/model/heap.c inspect/target/target.c inspect/target/target_peek.c inspect/target/target_thread_x86_64.c inspect/target/proc.c inspect/target/mem_pid.c inspect/target/pagemap.c inspect/target/maps.c inspect/target/err.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
#include "tests/mimalloc.h"
#include "tests/sparse_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

extern const struct allocator allocator_mimalloc;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sparse s;

	if (!n) return 0;
	(data[0] & 4 ? mi_build_map : mi_build_segment)(&s);
	sparse_fuzz(&s, &allocator_mimalloc, data, n);
	sparse_free(&s);
	return 0;
}
