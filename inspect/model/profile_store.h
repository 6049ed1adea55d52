/* profile_store.h: what stands behind a struct profile: its memory, freed at once, and hash tables from contents to index.
 * For profile*.c and for the formats that build something as large as a profile. */
#ifndef ALLOCTOP_PROFILE_STORE_H
#define ALLOCTOP_PROFILE_STORE_H

#include <stddef.h>
#include <stdint.h>

struct profile_chunk;

/* Open addressing, from a hash to a value that is never 0. What the value names is compared by the caller's `same`. */
struct profile_table {
	struct profile_slot { uint64_t hash; uint32_t value; } *slot;
	size_t size, used;
};

/* The place of the value for `key`; it holds 0 when there was none, and the caller must then fill it. */
uint32_t *profile_table_find(struct profile_table *t, uint64_t hash,
                             int (*same)(const void *ctx, uint32_t value, const void *key), const void *ctx, const void *key);
void profile_table_free(struct profile_table *t);

/* Continues `seed` over n bytes. Seeded per process: a hostile file cannot choose names that collide. */
uint64_t profile_hash(uint64_t seed, const void *bytes, size_t n);

struct profile_store {
	struct profile_chunk *chunk;
	const char **string; size_t nstrings;   /* from 1 */
	struct profile_table strings, mappings, functions, locations, samples;
};

/* The interned "": one address, so that interned strings compare by address. */
extern const char profile_empty[];

struct profile_store *profile_store_new(void);
void profile_store_free(struct profile_store *s);
/* A copy of n bytes that lives as long as the store, zeros when `bytes` is NULL. Never NULL. */
void *profile_keep(struct profile_store *s, const void *bytes, size_t n);
/* profile_string for those who hold the store only. */
const char *profile_store_string(struct profile_store *s, const char *text);

#endif
