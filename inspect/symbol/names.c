/* names.c: an open-addressed table of strings in chunks. See names.h. */
#include "inspect/symbol/names.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/target/xalloc.h"

enum { CHUNK = 64 << 10, NAME_MAX_BYTES = 16 << 10 };

struct name {
	uint32_t hash, size;
	const char *readable;           /* NULL: not asked yet */
	char text[];
};

struct chunk { struct chunk *next; size_t used; char bytes[CHUNK]; };

struct names {
	struct name **slot;
	size_t n, cap;                  /* cap: a power of two */
	struct chunk *chunk;
	char clean[NAME_MAX_BYTES];
};

struct names *names_new(void)
{
	struct names *n = xcalloc(1, sizeof *n);
	n->cap = 1024;
	n->slot = xcalloc(n->cap, sizeof *n->slot);
	return n;
}

void names_free(struct names *n)
{
	if (!n) return;
	for (struct chunk *c = n->chunk, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(n->slot);
	free(n);
}

static void grow(struct names *n)
{
	size_t cap = n->cap * 2;
	struct name **slot = xcalloc(cap, sizeof *slot);
	for (size_t i = 0; i < n->cap; i++) {
		if (!n->slot[i]) continue;
		size_t at = n->slot[i]->hash & (cap - 1);
		while (slot[at]) at = (at + 1) & (cap - 1);
		slot[at] = n->slot[i];
	}
	free(n->slot);
	n->slot = slot;
	n->cap = cap;
}

static struct name *room(struct names *n, size_t size)
{
	size = (size + 7) & ~(size_t)7;
	if (!n->chunk || CHUNK - n->chunk->used < size) {
		struct chunk *c = xmalloc(sizeof *c);
		c->next = n->chunk;
		c->used = 0;
		n->chunk = c;
	}
	struct name *new = (struct name *)(n->chunk->bytes + n->chunk->used);
	n->chunk->used += size;
	return new;
}

const char *names_keep(struct names *n, const char *s)
{
	uint32_t hash = 2166136261u, size = 0;
	if (!s) s = "";
	for (; s[size] && size < NAME_MAX_BYTES - 1; size++) {
		unsigned char c = (unsigned char)s[size];
		n->clean[size] = c < ' ' || c == 0x7f ? '?' : (char)c;
		hash = (hash ^ (unsigned char)n->clean[size]) * 16777619u;
	}
	size_t at = hash & (n->cap - 1);
	for (struct name *k; (k = n->slot[at]); at = (at + 1) & (n->cap - 1))
		if (k->hash == hash && k->size == size && !memcmp(k->text, n->clean, size)) return k->text;

	struct name *new = room(n, sizeof *new + size + 1);
	*new = (struct name){.hash = hash, .size = size};
	memcpy(new->text, n->clean, size);
	new->text[size] = 0;
	n->slot[at] = new;
	if (++n->n > n->cap / 2) grow(n);
	return new->text;
}

const char *names_readable(struct names *n, const char *kept)
{
	struct name *k = (struct name *)(kept - offsetof(struct name, text));
	if (!k->readable) {
		char *s = demangle(kept);
		k->readable = s ? names_keep(n, s) : kept;
		free(s);
	}
	return k->readable;
}
