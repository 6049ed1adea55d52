/* segment.c: hostile segments for the decoder. The first byte chooses: a segment of the input's own bytes, or a good one with words
 * of it overwritten (offset, value), which gets past the header. Whatever is decoded must keep the promises of snapshot.h. */
/* LINK: inspect/client/segment.c inspect/client/timing.c inspect/client/section.c inspect/client/live.c inspect/client/site.c inspect/model/snapshot.c inspect/model/timing.c inspect/model/plain.c inspect/target/err.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
#include "inspect/client/segment.h"

#include <stdlib.h>

#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "tests/segment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(int good)
{
	if (!good) abort();
}

static void check(const struct snapshot *s)
{
	double live = 0;

	require(s->nsites >= 1 && s->nthreads >= 1);
	for (size_t i = 0; i < s->nsites; i++) {
		uint64_t sum = 0;
		for (unsigned f = 0; f < s->site[i].depth; f++) sum += s->site[i].pc[f];
		require(s->site[i].depth <= WIRE_DEPTH_MAX && s->site[i].cut <= WIRE_LOSSES && sum + 1);
		require(snapshot_median_lifetime(s, &s->site[i]) >= -1);
		live += s->site[i].live_bytes;
	}
	for (size_t i = 0; i < s->nlive; i++) {
		require(s->live[i].site < s->nsites && s->live[i].thread < s->nthreads);
		require(s->live[i].variance >= 0 && s->live[i].age_s >= 0 && s->live[i].weight >= (double)s->live[i].size);
	}
	require(live >= 0.999 * s->live_bytes && live <= 1.001 * s->live_bytes);
	for (size_t i = 0; i < s->nthreads; i++) require(!s->thread[i].name[16]);
	for (size_t i = 0; i < s->nmodules; i++)
		require(s->module[i].path && s->module[i].start < s->module[i].end && s->module[i].build_id_size <= sizeof s->module[i].build_id);
	require(!s->notices[WIRE_NOTICES - 1]);
}

/* Six bytes each: where (16 bits, in words of the header and what follows), how wide, what. */
static void overwrite(struct seg *seg, const uint8_t *data, size_t n)
{
	for (; n >= 6; data += 6, n -= 6) {
		size_t at = (size_t)(data[0] | data[1] << 8) * 2 % (sizeof *seg - 8);
		uint64_t value = data[3] | (uint64_t)data[4] << 8;
		value <<= data[5] % 64;
		memcpy((char *)seg + at, &value, (size_t[]){ 1, 2, 4, 8 }[data[2] % 4]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct seg seg;
	struct segment_now now = { 105000000000, 107000000000, 1800000000ull * 1000000000 };
	struct segment g = { .base = 0x70000000, .name = "fuzz" };
	struct snapshot s;
	struct err e;

	if (!n) return 0;
	seg_build(&seg, 412);
	seg.head.flags = data[0] & 2 ? WIRE_EXACT_ON : 0;
	if (data[0] & 1) {
		overwrite(&seg, data + 1, n - 1);
		g.size = sizeof seg;
	} else {
		g.size = n - 1 < sizeof seg ? n - 1 : sizeof seg;
		memcpy(&seg, data + 1, g.size);
	}
	/* a copy of exactly that size: the sanitizer sees each byte too many */
	char *bytes = malloc(g.size);
	if (!bytes) return 0;
	memcpy(bytes, &seg, g.size);
	g.mem = mem_open_fixture(g.base, bytes, g.size);
	if (!segment_decode(&g, data[0] & 4 ? &now : NULL, &s, &e)) {
		check(&s);
		snapshot_free(&s);
	}
	mem_close(g.mem);
	free(bytes);
	return 0;
}
