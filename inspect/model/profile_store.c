/* profile_store.c: memory and hash tables of a profile. Knows nothing of what a profile means. */
#include "inspect/model/profile_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "inspect/target/xalloc.h"

const char profile_empty[] = "";

enum { CHUNK = 64 << 10, TABLE_MIN = 64 };

struct profile_chunk {
	struct profile_chunk *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

void *profile_keep(struct profile_store *s, const void *bytes, size_t n)
{
	size_t need = (n + 15) & ~(size_t)15;
	struct profile_chunk *c = s->chunk;
	if (!c || c->size - c->used < need) {
		size_t size = need > CHUNK ? need : CHUNK;
		c = xmalloc(sizeof *c + size);
		c->used = 0;
		c->size = size;
		c->next = s->chunk;
		s->chunk = c;
	}
	char *p = c->bytes + c->used;
	c->used += need;
	if (bytes && n) memcpy(p, bytes, n);
	else memset(p, 0, need);
	return p;
}

static void chunks_free(struct profile_chunk *c)
{
	while (c) {
		struct profile_chunk *next = c->next;
		free(c);
		c = next;
	}
}

static uint64_t secret(void)
{
	static uint64_t value;
	if (!value) {
		const void *random = (const void *)getauxval(AT_RANDOM);
		if (random) memcpy(&value, random, sizeof value);
		value |= 1;
	}
	return value;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	__uint128_t m = (__uint128_t)(h ^ word) * 0x9e3779b97f4a7c15u;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

uint64_t profile_hash(uint64_t seed, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t h = mix(seed ^ secret(), n);
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		h = mix(h + secret(), w);
	}
	uint64_t w = 0;
	if (n) memcpy(&w, p, n);
	return mix(h + secret(), w);
}

static void table_grow(struct profile_table *t)
{
	struct profile_table old = *t;
	t->size = old.size ? old.size * 2 : TABLE_MIN;
	t->slot = xcalloc(t->size, sizeof *t->slot);
	for (size_t i = 0; i < old.size; i++) {
		if (!old.slot[i].value) continue;
		size_t k = old.slot[i].hash & (t->size - 1);
		while (t->slot[k].value) k = (k + 1) & (t->size - 1);
		t->slot[k] = old.slot[i];
	}
	free(old.slot);
}

uint32_t *profile_table_find(struct profile_table *t, uint64_t hash,
                             int (*same)(const void *ctx, uint32_t value, const void *key), const void *ctx, const void *key)
{
	if (t->used * 4 >= t->size * 3) table_grow(t);
	size_t k = hash & (t->size - 1);
	for (; t->slot[k].value; k = (k + 1) & (t->size - 1))
		if (t->slot[k].hash == hash && same(ctx, t->slot[k].value, key)) return &t->slot[k].value;
	t->slot[k].hash = hash;
	t->used++;
	return &t->slot[k].value;
}

void profile_table_free(struct profile_table *t)
{
	free(t->slot);
	*t = (struct profile_table){ 0 };
}

static int same_string(const void *ctx, uint32_t value, const void *key)
{
	const struct profile_store *s = ctx;
	return !strcmp(s->string[value], key);
}

const char *profile_store_string(struct profile_store *s, const char *text)
{
	size_t n = strlen(text);
	if (!n) return profile_empty;
	uint32_t *v = profile_table_find(&s->strings, profile_hash(0, text, n), same_string, s, text);
	if (!*v) {
		if (!s->nstrings) s->nstrings = 1;
		if ((s->nstrings & (s->nstrings - 1)) == 0)
			s->string = xreallocarray(s->string, s->nstrings * 2, sizeof *s->string);
		s->string[s->nstrings] = profile_keep(s, text, n + 1);
		*v = (uint32_t)s->nstrings++;
	}
	return s->string[*v];
}

struct profile_store *profile_store_new(void)
{
	return xcalloc(1, sizeof(struct profile_store));
}

void profile_store_free(struct profile_store *s)
{
	profile_table_free(&s->strings);
	profile_table_free(&s->mappings);
	profile_table_free(&s->functions);
	profile_table_free(&s->locations);
	profile_table_free(&s->samples);
	free(s->string);
	chunks_free(s->chunk);
	free(s);
}
