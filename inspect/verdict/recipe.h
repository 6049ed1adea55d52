/* recipe.h: how a setting is said for the process that it is meant for: each function adds FINDING_DO lines that can be followed as they stand.
 * They look at how the allocator got into the process (struct facts_deployed), at its version and libc, and at what is set there already. */
#ifndef ALLOCTOP_RECIPE_H
#define ALLOCTOP_RECIPE_H

struct facts;
struct finding;
struct heap_allocator;

/* An environment variable, for the next start: "start it with MALLOC_ARENA_MAX=4 in its environment (now: MALLOC_ARENA_MAX=64)". */
void recipe_variable(const struct facts *f, struct finding *out, const char *name, const char *value);
/* glibc's malloc: the tunable's name without "glibc.malloc." ("arena_max"), and the old variable for it ("MALLOC_ARENA_MAX", NULL: none), which every
   version reads. GLIBC_TUNABLES is read from 2.26 on; what is set there stays, but for this one. */
void recipe_tunable(const struct facts *f, struct finding *out, const char *tunable, const char *variable, const char *value);
/* jemalloc: options in the words of malloc_conf ("dirty_decay_ms:1000,background_thread:true"), in the variable that this build reads
   (MALLOC_CONF, JE_MALLOC_CONF, _RJEM_MALLOC_CONF), merged with what is set. */
void recipe_jemalloc(const struct facts *f, struct finding *out, const struct heap_allocator *a, const char *options);
/* Another allocator in place of the one in use, in the way this program can take it: LD_PRELOAD with the package of its system, a link line
   where it is static, #[global_allocator] in Rust, -e / ENV in a container. `which`: "jemalloc", "mimalloc", "tcmalloc", NULL: any. */
void recipe_replace(const struct facts *f, struct finding *out, const char *which);
/* A line of code in the program itself: "call malloc_trim(0) after …". */
void recipe_code(struct finding *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* FINDING_CHECK: `alloctop compare` with this variable, for the program at hand. variable NULL: under other allocators. */
void recipe_compare(const struct facts *f, struct finding *out, const char *variable);

#endif
