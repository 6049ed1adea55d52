/* oldmalloc: the reader of musl's former allocator against a heap made of bytes (tests/oldmalloc.h says how), whole and damaged. */
#include "inspect/allocator/oldmalloc.h"

#include "tests/oldmalloc.h"
#include "tests/tap.h"

static uint64_t sum[ALLOCATOR_MANAGED + 1], total;
static uint8_t seen[OM_END - OM_BASE];
static int twice;

static void hear(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	(void)s;
	sum[what] += bytes;
	total += bytes;
	for (uint64_t i = start - OM_BASE; i < start - OM_BASE + bytes && i < sizeof seen; i++) twice |= seen[i]++;
}

static int look(const struct target *t, struct heap_allocator *a)
{
	struct allocator_sink sink = { hear };
	struct allocator_found f;
	struct err e;

	*a = (struct heap_allocator){ 0 };
	memset(sum, 0, sizeof sum);
	memset(seen, 0, sizeof seen);
	total = 0;
	twice = 0;
	return allocator_oldmalloc.probe(t, &f, 1) == 1 ? allocator_oldmalloc.read(t, &f, ALLOCATOR_FULL, a, &sink, &e) : -1;
}

static void whole(void)
{
	static struct om o;
	struct heap_allocator a;
	uint64_t live = 0, free = 0;

	om_build(&o);
	om_open(&o);
	ok(!look(&o.t, &a), "found");
	ok(a.state == OM_STATE && a.status == HEAP_COMPLETE && !a.bad, "the bins, complete");
	ok(a.live_objects == o.live && a.live_bytes == o.live_bytes, "%d live of %d bytes", (int)o.live, (int)o.live_bytes);
	ok(a.free_objects == o.free && a.free_bytes == o.free_bytes, "%d free of %d bytes", (int)o.free, (int)o.free_bytes);
	ok(a.large_objects == o.large && a.requested_bytes == HEAP_UNKNOWN, "two with mappings of their own, one aligned and resized");
	ok(a.mapped == o.mapped && a.mapped == a.live_bytes + a.free_bytes + a.metadata_bytes, "all that is mapped is live, free or metadata");
	ok(total == a.mapped && !twice, "the sink hears of each byte, once");
	for (size_t i = 0; i < a.nclasses; i++) live += a.class[i].live, free += a.class[i].free;
	ok(live + a.large_objects == o.live && free == o.free && a.class[0].size == 16 && a.class[0].live == 2, "by chunk size");
	ok(a.nlocks == 65 && a.lock[0].addr == OM_STATE + 1544 && a.lock[1].addr == OM_STATE + 8 && a.lock[64].addr == OM_STATE + 8 + 24 * 63 &&
	   a.lock[5].kind == HEAP_LOCK_PAIR, "65 locks");
	heap_allocator_free(&a);
	om_close(&o);
}

static void damaged(void)
{
	static struct om o;
	struct heap_allocator a;
	static const struct { const char *what; uint64_t at, value; } breaks[] = {
		{ "a size that is not the one behind it", OM_BREAK + 16 + 8, 65 },
		{ "a size that is no multiple of 32", OM_BREAK + 16 + 8, 41 },
		{ "a size of 2^60", OM_BREAK + 16 + 8, ((uint64_t)1 << 60) + 1 },
		{ "a size beyond the area", OM_BREAK + 16 + 8, 0x20001 },
		{ "a size of 0 in the middle", OM_BREAK + 16 + 32 + 8, 0 },
		{ "an area that does not end", OM_ANON - 8, 33 },
	};

	for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
		om_build(&o);
		memcpy(om_at(&o, breaks[i].at), &breaks[i].value, 8);
		om_open(&o);
		ok(!look(&o.t, &a) && a.status == HEAP_TORN && a.bad && *a.status_text && total == a.mapped && !twice, "damaged: %s", breaks[i].what);
		heap_allocator_free(&a);
		om_close(&o);
	}
	om_build(&o);
	om_state(&o)->binmap = UINT64_MAX;
	om_open(&o);
	ok(look(&o.t, &a) == -1, "not a state: bins that the map contradicts");
	om_close(&o);
	om_build(&o);
	for (unsigned k = 0; k < OLDMALLOC_BINS; k++)
		if (om_state(&o)->binmap >> k & 1) om_chunk(&o, om_state(&o)->bin[k].head)->prev += 32;
	om_open(&o);
	ok(look(&o.t, &a) == -1, "not a state: chunks that do not point back");
	om_close(&o);
}

int main(void)
{
	whole();
	damaged();
	return done();
}
