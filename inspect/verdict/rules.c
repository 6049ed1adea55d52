/* rules.c: the table of rules. Their order is that of the manual page; findings are ordered by what they cost. */
#include "inspect/verdict/rule.h"

#include <string.h>

extern const struct rule rule_musl_lock, rule_glibc_arena_lock, rule_glibc_arenas, rule_glibc_trim, rule_leak, rule_retention,
	rule_fragmentation, rule_not_malloc, rule_mmap_churn, rule_tcache_overflow, rule_jemalloc_retention, rule_jemalloc_background,
	rule_jemalloc_bins, rule_lazy_free, rule_tcmalloc_thread_cache, rule_tcmalloc_page_heap, rule_tcmalloc_release,
	rule_mimalloc_purge, rule_mimalloc_abandoned, rule_thread_caches, rule_hot_sites, rule_remote_frees, rule_rounding,
	rule_huge_pages, rule_metadata, rule_numa_remote, rule_unused_allocator, rule_two_allocators;

const struct rule *const rules[] = {
	&rule_musl_lock,
	&rule_glibc_arena_lock,
	&rule_glibc_arenas,
	&rule_glibc_trim,
	&rule_leak,
	&rule_retention,
	&rule_fragmentation,
	&rule_not_malloc,
	&rule_mmap_churn,
	&rule_tcache_overflow,
	&rule_jemalloc_retention,
	&rule_jemalloc_background,
	&rule_jemalloc_bins,
	&rule_lazy_free,
	&rule_tcmalloc_thread_cache,
	&rule_tcmalloc_page_heap,
	&rule_tcmalloc_release,
	&rule_mimalloc_purge,
	&rule_mimalloc_abandoned,
	&rule_thread_caches,
	&rule_hot_sites,
	&rule_remote_frees,
	&rule_rounding,
	&rule_huge_pages,
	&rule_metadata,
	&rule_numa_remote,
	&rule_unused_allocator,
	&rule_two_allocators,
	NULL,
};

const struct rule *rule_find(const char *name)
{
	for (const struct rule *const *r = rules; *r; r++)
		if (!strcmp((*r)->name, name)) return *r;
	return NULL;
}
