/* allocators.c: the table of the kinds of allocator that can be read. To add one: a file of its own with a const struct allocator,
 * and a row here. The order decides nothing. */
#include "inspect/allocator/allocator.h"

extern const struct allocator allocator_glibc, allocator_jemalloc, allocator_mimalloc, allocator_musl, allocator_musl_bump, allocator_oldmalloc, allocator_tcmalloc;

const struct allocator *const allocators[] = {
	&allocator_glibc,
	&allocator_jemalloc,
	&allocator_mimalloc,
	&allocator_musl,
	&allocator_musl_bump,
	&allocator_oldmalloc,
	&allocator_tcmalloc,
	NULL,
};

size_t allocator_probe_all(const struct target *t, struct allocator_found *out, size_t max)
{
	size_t n = 0;

	for (const struct allocator *const *a = allocators; *a && n < max; a++) {
		size_t got = (*a)->probe(t, out + n, max - n);
		for (size_t i = 0; i < got && n < max; i++, n++) out[n].kind = *a;
	}
	return n;
}
