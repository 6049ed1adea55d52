/* musl_find.c: where mallocng's context is, in a process without any symbols. The context begins with a secret that also stands in every
 * area of metadata: nothing else in a process looks like that. Two ways: musl takes the secret from the random bytes that the kernel gives
 * each process (src/malloc/mallocng/glue.h), so its value can be known; or the shape alone, where those bytes are not to be had. */
#include "inspect/allocator/musl.h"

#include <stdlib.h>
#include <string.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum { CHUNK = 256 << 10, REGION_MAX = 64 << 20 };

/* A zero secret is one that no context in use has. */
static int is_context(const struct target *t, const struct musl_context *c)
{
	uint64_t check;

	if (!c->secret || c->init_done != 1) return 0;
	if (!c->meta_area_head || c->meta_area_head % MUSL_PAGE || !c->meta_area_tail || c->meta_area_tail % MUSL_PAGE) return 0;
	return mem_read_some(t->mem, c->meta_area_head, &check, sizeof check) == sizeof check && check == c->secret;
}

/* Looks through one region, in pieces that overlap by a context. `secret` 0: not known. */
static uint64_t scan(const struct target *t, const struct target_region *r, uint64_t secret, char *buf)
{
	const size_t tail = sizeof(struct musl_context);
	uint64_t end = r->end - r->start > REGION_MAX ? r->start + REGION_MAX : r->end;

	for (uint64_t at = r->start; at < end; at += CHUNK - tail) {
		size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK, got = target_peek(t, at, buf, want);
		for (size_t i = 0; i + tail <= got; i += 8) {
			struct musl_context c;
			uint64_t first;
			int32_t init;
			memcpy(&first, buf + i, sizeof first);
			if (secret ? first != secret : !first) continue;
			memcpy(&init, buf + i + offsetof(struct musl_context, init_done), sizeof init);
			if (init != 1) continue;
			memcpy(&c, buf + i, sizeof c);
			if (is_context(t, &c)) return at + i;
		}
		if (got < want || want < CHUNK) break;
	}
	return 0;
}

static uint64_t scan_all(const struct target *t, const struct target_region *r, size_t n, uint64_t secret, char *buf, struct target_region *where)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t found = scan(t, &r[i], secret, buf);
		if (!found) continue;
		*where = r[i];
		return found;
	}
	return 0;
}

uint64_t musl_find(const struct target *t, const char **how, struct target_region *where)
{
	struct target_region *r;
	size_t n = target_data_regions(t, &r);
	char *buf = xmalloc(CHUNK);
	uint64_t secret = 0, found = 0;

	if (t->at_random && mem_read_some(t->mem, t->at_random + 8, &secret, sizeof secret) == sizeof secret && secret) {
		*how = "the context's secret is the process's AT_RANDOM bytes, and stands in its first metadata area";
		found = scan_all(t, r, n, secret, buf, where);
	}
	if (!found) {
		*how = "a context in the program's data whose secret stands in its first metadata area";
		found = scan_all(t, r, n, 0, buf, where);
	}
	free(buf);
	free(r);
	return found;
}
