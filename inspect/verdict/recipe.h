/* recipe.h: how a setting is said for the process that it is meant for: each function adds FINDING_DO lines that can be followed as they stand.
 * They look at how the allocator got into the process (struct facts_deployed), at its version and libc, and at what is set there already. */
#ifndef ALLOCTOP_RECIPE_H
#define ALLOCTOP_RECIPE_H

#include <stddef.h>

struct facts;
struct finding;
struct heap_allocator;

enum { RECIPE_MAX = 720 };

/* An environment variable, for the next start: "start it with MALLOC_ARENA_MAX=4 in its environment (now: MALLOC_ARENA_MAX=64)". */
void recipe_variable(const struct facts *f, struct finding *out, const char *name, const char *value);
/* Several, each of which does not help by itself. */
struct recipe_setting { const char *name, *value; };
void recipe_variables(const struct facts *f, struct finding *out, const struct recipe_setting *s, size_t n);
/* glibc's malloc: the tunable's name without "glibc.malloc." ("arena_max"), and the old variable for it ("MALLOC_ARENA_MAX", NULL: none), which every
   version reads. GLIBC_TUNABLES is read from 2.26 on; what is set there stays, but for this one. */
void recipe_tunable(const struct facts *f, struct finding *out, const char *tunable, const char *variable, const char *value);
/* The same of several that help together. */
struct recipe_tunable { const char *tunable, *variable, *value; };
void recipe_tunables(const struct facts *f, struct finding *out, const struct recipe_tunable *t, size_t n);
/* jemalloc: options in the words of malloc_conf ("dirty_decay_ms:1000,background_thread:true"), in the variable that this build reads
   (MALLOC_CONF, JE_MALLOC_CONF, _RJEM_MALLOC_CONF), merged with what is set. */
void recipe_jemalloc(const struct facts *f, struct finding *out, const struct heap_allocator *a, const char *options);
/* That variable with its value, for recipe_compare. */
const char *recipe_jemalloc_variable(const struct facts *f, const struct heap_allocator *a, const char *options, char buf[RECIPE_MAX]);
/* mimalloc: how long it keeps free pages, in the variable of its version; where the layout does not tell that, in both: one that it does not know does
   no harm. */
void recipe_mimalloc_delay(const struct facts *f, struct finding *out, const struct heap_allocator *a, const char *ms);
/* Another allocator in place of the one in use, in the way this program can take it: LD_PRELOAD with the package of its system, a link line
   where it is static, #[global_allocator] in Rust, -e / ENV in a container. `which`: "jemalloc", "mimalloc", "tcmalloc", NULL: any. */
void recipe_replace(const struct facts *f, struct finding *out, const char *which);
/* A line of code in the program itself: "call malloc_trim(0) after …". */
void recipe_code(struct finding *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* FINDING_CHECK: `alloctop compare` with these variables ("A=1", "A=1 B=2"), for the program at hand. NULL: under other allocators. */
void recipe_compare(const struct facts *f, struct finding *out, const char *variables);

#endif
