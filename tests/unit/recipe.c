/* recipe.c: settings are said so that they can be followed as they stand. */
#include "inspect/verdict/recipe.h"
#include "tests/facts.h"
#include "tests/tap.h"

static struct facts_made m;

static void again(const char *allocator)
{
	finding_clear(&facts_found);
	facts_make(&m, allocator, "");
}

static void settings(void)
{
	again("glibc");
	recipe_variable(&m.f, &facts_found, "MIMALLOC_PURGE_DELAY", "0");
	ok(facts_says(FINDING_DO, "start it with MIMALLOC_PURGE_DELAY=0"), "a variable");
	again("glibc");
	facts_variable(&m, "MALLOC_ARENA_MAX", "64");
	recipe_tunable(&m.f, &facts_found, "arena_max", "MALLOC_ARENA_MAX", "4");
	ok(facts_says(FINDING_DO, "MALLOC_ARENA_MAX=4, or GLIBC_TUNABLES=glibc.malloc.arena_max=4; now it has MALLOC_ARENA_MAX=64"), "a tunable with an old name");
	again("glibc");
	facts_variable(&m, "GLIBC_TUNABLES", "glibc.malloc.arena_max=1:glibc.rtld.nns=3");
	recipe_tunable(&m.f, &facts_found, "tcache_count", NULL, "100");
	ok(facts_says(FINDING_DO, "start it with GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.rtld.nns=3:glibc.malloc.tcache_count=100;"), "others that are set stay");
	again("glibc");
	snprintf(m.f.id.libc_version, sizeof m.f.id.libc_version, "2.25");
	recipe_tunable(&m.f, &facts_found, "tcache_count", NULL, "100");
	ok(facts_says(FINDING_DO, "2.26 has"), "an old glibc has no tunables");
	again("glibc");
	m.f.id.container = 1;
	m.f.id.secure = 1;
	recipe_variable(&m.f, &facts_found, "A", "1");
	ok(facts_says(FINDING_DO, "docker run -e") && facts_says(FINDING_DO, "gains privileges"), "containers, and programs that gain privileges");
}

static void jemalloc(void)
{
	again("jemalloc");
	facts_variable(&m, "MALLOC_CONF", "dirty_decay_ms:-1,narenas:4");
	recipe_jemalloc(&m.f, &facts_found, &m.allocator[0], "background_thread:true,dirty_decay_ms:1000");
	ok(facts_says(FINDING_DO, "MALLOC_CONF=narenas:4,background_thread:true,dirty_decay_ms:1000;"), "options are merged");
	again("jemalloc");
	snprintf(m.deployed[0].prefix, sizeof m.deployed[0].prefix, "_rjem_");
	recipe_jemalloc(&m.f, &facts_found, &m.allocator[0], "dirty_decay_ms:1000");
	ok(facts_says(FINDING_DO, "_RJEM_MALLOC_CONF=dirty_decay_ms:1000"), "the one in Rust programs has a variable of its own");
}

static void replace(void)
{
	again("glibc");
	recipe_replace(&m.f, &facts_found, "mimalloc");
	ok(facts_says(FINDING_DO, "apt install libmimalloc2.0, then start it with LD_PRELOAD=/usr/lib/"), "Debian");
	again("glibc");
	m.f.id.container = 1;
	recipe_replace(&m.f, &facts_found, "jemalloc");
	ok(facts_says(FINDING_DO, "in its image: RUN apt install libjemalloc2, ENV LD_PRELOAD="), "in a container");
	again("musl mallocng");
	snprintf(m.f.id.system, sizeof m.f.id.system, "alpine");
	recipe_replace(&m.f, &facts_found, NULL);
	ok(facts_says(FINDING_DO, "apk add mimalloc2-insecure, then start it with LD_PRELOAD=/usr/lib/libmimalloc-insecure.so.2"), "Alpine");
	again("glibc");
	m.deployed[0].way = FACTS_LINKED;
	recipe_replace(&m.f, &facts_found, NULL);
	ok(facts_says(FINDING_DO, "link it anew") && !facts_says(FINDING_DO, "LD_PRELOAD"), "an executable with a malloc of its own cannot be preloaded");
	again("glibc");
	snprintf(m.f.id.system, sizeof m.f.id.system, "plan9");
	recipe_replace(&m.f, &facts_found, "tcmalloc");
	ok(facts_says(FINDING_DO, "install tcmalloc, then start it with LD_PRELOAD=libtcmalloc_minimal.so.4"), "a system that is not known");
	again("glibc");
	m.f.id.release = 13;
	recipe_replace(&m.f, &facts_found, "mimalloc");
	ok(facts_says(FINDING_DO, "apt install libmimalloc3, then start it with LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libmimalloc.so.3"), "a newer Debian has another package");
}

static void together(void)
{
	static const struct recipe_tunable both[] = { { "mmap_threshold", "MALLOC_MMAP_THRESHOLD_", "1" }, { "trim_threshold", "MALLOC_TRIM_THRESHOLD_", "2" } };

	again("glibc");
	facts_variable(&m, "MALLOC_TRIM_THRESHOLD_", "131072");
	recipe_tunables(&m.f, &facts_found, both, 2);
	ok(facts_says(FINDING_DO, "start it with MALLOC_MMAP_THRESHOLD_=1 MALLOC_TRIM_THRESHOLD_=2, or GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1:glibc.malloc.trim_threshold=2; now it has MALLOC_TRIM_THRESHOLD_=131072"),
	   "two that help together only");
	again("glibc");
	facts_variable(&m, "GLIBC_TUNABLES", "glibc.malloc.trim_threshold=7:glibc.rtld.nns=3");
	recipe_tunables(&m.f, &facts_found, both, 2);
	ok(facts_says(FINDING_DO, "start it with GLIBC_TUNABLES=glibc.rtld.nns=3:glibc.malloc.mmap_threshold=1:glibc.malloc.trim_threshold=2; now"), "where one is set as a tunable, both are");
	again("glibc");
	recipe_compare(&m.f, &facts_found, "A=1 B=2");
	ok(facts_says(FINDING_CHECK, "alloctop compare --env 'A=1 B=2' -- served ..."), "compared as one variant");
	again("mimalloc");
	snprintf(m.allocator[0].version, sizeof m.allocator[0].version, "2.0.7 to 2.1.2");
	recipe_mimalloc_delay(&m.f, &facts_found, &m.allocator[0], "0");
	ok(facts_says(FINDING_DO, "start it with MIMALLOC_PURGE_DELAY=0 MIMALLOC_DECOMMIT_DELAY=0"), "mimalloc whose version may be either");
	again("musl mallocng");
	recipe_compare(&m.f, &facts_found, NULL);
	ok(facts_says(FINDING_CHECK, "alloctop compare --preload /path/to/libmimalloc.so -- served"), "what is installed for glibc is nothing for musl");
	snprintf(m.f.id.system, sizeof m.f.id.system, "alpine");
	recipe_compare(&m.f, &facts_found, NULL);
	ok(facts_says(FINDING_CHECK, "--preload /usr/lib/libmimalloc-insecure.so.2 -- served"), "on Alpine it is known where it will be");
}

int main(void)
{
	settings();
	jemalloc();
	replace();
	together();
	finding_clear(&facts_found);
	return done();
}
