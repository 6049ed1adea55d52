/* segment.c: the decoder of segments, on segments built by hand: what it reads, what it refuses, what it leaves out and counts. */
/* LINK: inspect/client/segment.c inspect/client/timing.c inspect/client/section.c inspect/client/live.c inspect/client/site.c inspect/model/snapshot.c inspect/model/timing.c inspect/model/plain.c inspect/target/err.c inspect/target/mem.c inspect/target/mem_fixture.c inspect/target/xalloc.c */
#include "inspect/client/segment.h"

#include <stdlib.h>

#include "inspect/model/snapshot.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"
#include "tests/segment.h"
#include "tests/tap.h"

static struct seg seg;
static struct snapshot snap;
static struct err err;

enum { BASE = 0x70000000 };

/* Reads `size` bytes of seg. Leaves snap, err. */
static int decode_of(uint64_t size, const struct segment_now *now)
{
	struct mem *mem = mem_open_fixture(BASE, &seg, size);
	struct segment g = { mem, BASE, size, "pid 412" };

	snapshot_free(&snap);
	err = (struct err){ 0 };
	int bad = segment_decode(&g, now, &snap, &err);
	mem_close(mem);
	return bad;
}

static int decode(void) { return decode_of(sizeof seg, NULL); }

static void good(void)
{
	seg_build(&seg, 412);
	if (!ok(!decode(), "a good segment is read")) return;
	ok(!snap.bad && !snap.torn, "nothing in it is bad");
	ok(snap.inner_pid == 412 && snap.rate == 1000 && snap.running && snap.epoch == 3 && snap.pid == 0, "head");
	near(snap.ticks_per_s, 1e9, "ticks per second from the two moments of the header");
	near(snap.age_s, 10, "age");
	ok(snap.realtime_ns == 1700000010ull * 1000000000, "the moment of a dead segment is its last");
	ok(snap.nmodules == 1 && !strcmp(snap.module[0].path, "/bin/prog") && snap.module[0].build_id_size == 3 && snap.module[0].build_id[1] == 0xcd, "module");
	ok(snap.nsites == 3 && snap.nlive == 3 && snap.nthreads == 2, "numbers of things");
	const struct snap_site *a = &snap.site[1], *b = &snap.site[2];
	ok(a->depth == 3 && a->pc[0] == 0x400100 && a->pc[2] == 0x400120 && !a->cut, "stack of A");
	ok(b->depth == 2 && b->pc[0] == 0x400130 && b->cut == 1 + WIRE_CUT_NO_RULE, "stack of B, cut");
	ok(a->samples == 4 && a->freed_samples == 2 && a->remote_samples == 1 && a->lifetime[3] == 2, "counts of A");
	near(a->alloc_objects, 8, "objects of A");
	near(a->alloc_variance, 2.0 * 1024 * 1024, "variance of A in bytes squared");
	near(a->live_bytes, 2000, "live bytes of A: weights of its records");
	near(a->live_objects, 2 + 4, "live objects of A: weight by size");
	near(a->live_variance, 1e6 * 0.5 + 1e6 * 0.75, "variance of A's live bytes: weight^2 (1 - p)");
	near(b->live_variance, 0, "a block that stands for itself has no variance");
	near(snap.live_bytes, 3500, "live bytes in all");
	near(snap.live_variance, 1.25e6, "variance in all");
	near(snap.alloc_bytes, 5500, "allocated bytes in all");
	near(snap.live[0].age_s, 9, "age of a block");
	ok(snap.live[0].thread == 1, "a block's thread");
	ok(snap.live[2].thread == 0, "a block of a thread that ended and left its slot: thread 0");
	ok(snap.thread[1].tid == 77 && !strcmp(snap.thread[1].name, "worker") && snap.thread[1].allocs == 100, "thread");
	near(snap.thread[1].start_s, 2, "thread's start");
	near(snap.class[wire_class_of(500)].live_bytes, 1000, "live bytes of a class");
	near(snap.class[wire_class_of(500)].freed_objects, 4, "freed objects of a class");
}

static void clocks(void)
{
	struct segment_now now = { 105000000000, 107000000000, 1800000000ull * 1000000000 };

	seg_build(&seg, 412);
	seg.head.last = seg.head.start;
	ok(!decode() && snap.ticks_per_s == 0 && snap.age_s == 0 && snap.live[0].age_s == 0, "without a second moment the clock is unknown, ages are 0");
	ok(snapshot_median_lifetime(&snap, &snap.site[1]) == -1, "and so is the median lifetime");
	decode_of(sizeof seg, &now);
	near(snap.ticks_per_s, 1e9, "our own reading is the second moment of a live one");
	near(snap.age_s, 100, "age up to now");
	ok(snap.realtime_ns == now.realtime_ns, "the moment is ours");
	seg_build(&seg, 412);
	now.monotonic_ns = 1000107000000000;
	decode_of(sizeof seg, &now);
	near(snap.ticks_per_s, 1e9, "a monotonic clock of ours that does not fit theirs is not used");
	seg.head.start.ticks = UINT64_MAX;
	ok(!decode() && snap.ticks_per_s == 0, "a clock that runs backwards is unknown");
}

static void refused(void)
{
	seg_build(&seg, 412);
	seg.head.magic[3]++;
	ok(decode() && err.kind == ERR_FAIL && strstr(err.text, "pid 412"), "wrong magic: %s", err.text);
	seg_build(&seg, 412);
	seg.head.version = WIRE_VERSION + 1;
	ok(decode() && err.kind == ERR_UNSUPPORTED, "another version: %s", err.text);
	seg_build(&seg, 412);
	seg.head.header_size -= 8;
	ok(decode() && err.kind == ERR_FAIL, "another header: %s", err.text);
	seg_build(&seg, 412);
	ok(decode_of(100, NULL) && err.kind == ERR_FAIL, "too small: %s", err.text);
	for (unsigned i = ROW_MODULES; i <= ROW_CLASS; i++) {
		seg_build(&seg, 412);
		seg.head.section[i].entry_size = i;
		ok(decode() && err.kind == ERR_FAIL, "entries of another size: %s", err.text);
	}
	seg_build(&seg, 412);
	struct mem *mem = mem_open_fixture(BASE, &seg, sizeof seg - sizeof seg.exact);
	struct segment g = { mem, BASE, sizeof seg, "pid 412" };
	seg.head.flags = WIRE_EXACT_ON;
	ok(segment_decode(&g, NULL, &snap, &err) && err.kind == ERR_FAIL, "bytes that should be there and cannot be read: %s", err.text);
	mem_close(mem);
}

static void bounded(void)
{
	seg_build(&seg, 412);
	seg.head.section[ROW_LIVE].used = SEG_LIVE + 100;
	ok(!decode() && snap.nlive == 3 && snap.bad == 100, "used above capacity is clamped and counted");
	for (unsigned i = ROW_MODULES; i <= ROW_CLASS; i++) {
		seg_build(&seg, 412);
		seg.head.section[i].offset = UINT64_MAX - 8;
		uint32_t used = seg.head.section[i].used;
		ok(!decode() && snap.bad >= used, "section %u outside of the segment: nothing of it is read", i);
	}
	seg_build(&seg, 412);
	seg.head.section[ROW_SITES].used = seg.head.section[ROW_SITES].capacity = UINT32_MAX;
	ok(!decode() && snap.nsites < 1 << 18 && snap.bad > UINT32_MAX / 2, "a section as large as it can be called is bounded by the segment");
	seg_build(&seg, 412);
	seg.head.size = offsetof(struct seg, live) + 2 * sizeof *seg.live;
	ok(!decode() && snap.nlive == 2 && snap.nthreads == 1, "the header's size bounds the sections");
	seg_build(&seg, 412);
	ok(!decode_of(offsetof(struct seg, live) + sizeof *seg.live + 1, NULL) && snap.nlive == 1, "and so does the size of what there is");
	seg_build(&seg, 412);
	memset(seg.head.section, 0, sizeof seg.head.section);
	ok(!decode() && snap.nsites == 1 && snap.nthreads == 1 && !snap.nlive, "without sections there is only the gathered rest");
}

static void bad_records(void)
{
	static const struct { const char *what; size_t at, n; uint64_t value; } cases[] = {
		{ "site", offsetof(struct wire_live, site), 4, 3 },
		{ "size", offsetof(struct wire_live, size), 8, 1ull << 60 },
		{ "weight below size", offsetof(struct wire_live, weight), 8, 499 },
		{ "weight", offsetof(struct wire_live, weight), 8, UINT64_MAX },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		seg_build(&seg, 412);
		memcpy((char *)&seg.live[0] + cases[i].at, &cases[i].value, cases[i].n);
		ok(!decode() && snap.nlive == 2 && snap.bad == 1, "a live record with an impossible %s is left out", cases[i].what);
	}
	seg_build(&seg, 412);
	seg.live[0].seq = 3;
	ok(!decode() && snap.nlive == 2 && snap.torn == 1 && !snap.bad, "a record that is being written is torn");
	seg_build(&seg, 412);
	seg.live[0].thread = 4095;
	ok(!decode() && snap.nlive == 3 && snap.live[0].thread == 0, "a thread that is not there is thread 0");
	seg_build(&seg, 412);
	seg.live[0].epoch = 2;
	ok(!decode() && snap.nlive == 2 && !snap.bad && !snap.torn, "a record of another epoch does not count");
	seg_build(&seg, 412);
	seg.live[0].birth = UINT64_MAX;
	seg.live[1].birth = 0;
	decode();
	near(snap.live[0].age_s, 0, "born in the future: age 0");
	near(snap.live[1].age_s, 10, "born before the agent: as old as the agent");
	seg_build(&seg, 412);
	seg.live[0].size = seg.live[0].weight = 0;
	ok(!decode() && snap.nlive == 3 && snap.live[0].variance == 0, "a block of no bytes");
	near(snap.site[1].live_objects, 1 + 4, "counts as one object");
}

static void bad_sites(void)
{
	static const struct { const char *what; uint32_t frames; uint16_t depth, cut; } cases[] = {
		{ "too deep", 0, WIRE_DEPTH_MAX + 1, 0 },
		{ "frames that are not there", 6, 1, 0 },
		{ "frames that end behind the last", 3, 3, 0 },
		{ "frames far away", UINT32_MAX, 2, 0 },
		{ "an unknown cut", 0, 3, 99 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		seg_build(&seg, 412);
		seg.site[1].frames = cases[i].frames;
		seg.site[1].depth = cases[i].depth;
		seg.site[1].cut = cases[i].cut;
		ok(!decode() && snap.bad == 1 && !snap.site[1].depth && !snap.site[1].samples && snap.site[0].samples == 4 && snap.live[0].site == 0,
		   "a site with %s is counted with site 0", cases[i].what);
	}
	seg_build(&seg, 412);
	seg.site[1].epoch = 2;
	ok(!decode() && !snap.site[1].samples && snap.site[1].depth == 3 && !snap.site[1].lifetime[3], "a site of another epoch has a stack and no totals");
	seg_build(&seg, 412);
	seg.frame[3] = seg.frame[0], seg.frame[4] = seg.frame[1];
	seg.site[1].depth = 2;
	seg.site[2].cut = 0;
	ok(!decode() && snap.site[1].samples == 5 && !snap.site[2].depth && !snap.site[2].samples && snap.live[2].site == 1, "equal stacks are one site");
	near(snap.site[1].live_bytes, 3500, "with the live blocks of both");
}

static void bad_others(void)
{
	seg_build(&seg, 412);
	memset(seg.module[0].path, 'x', sizeof seg.module[0].path);
	ok(!decode() && !snap.nmodules && snap.bad == 1, "a path without end");
	seg_build(&seg, 412);
	seg.module[0].build_id_size = 40;
	ok(!decode() && !snap.nmodules && snap.bad == 1, "a build id that is too long");
	seg_build(&seg, 412);
	seg.module[0].end = seg.module[0].start;
	ok(!decode() && !snap.nmodules && snap.bad == 1, "a module without bytes");
	seg_build(&seg, 412);
	seg.module[1] = seg.module[0];
	seg.module[0].unloaded = 1;
	strcpy(seg.module[1].path, "/bin/new");
	seg.module[2] = seg.module[0];
	seg.module[2].start = 0x600000, seg.module[2].end = 0x700000;
	seg.head.section[ROW_MODULES].used = 3;
	ok(!decode() && snap.nmodules == 2 && !strcmp(snap.module[0].path, "/bin/new") && snap.module[1].start == 0x600000 && !snap.bad,
	   "an unloaded module is known until another takes its place");
	seg_build(&seg, 412);
	memcpy(seg.thread[1].name, "\033[2J0123456789ab", 16);
	ok(!decode() && !strcmp(snap.thread[1].name, "?[2J0123456789ab"), "a name cannot drive the terminal");
	memset(seg.head.notices, '\a', sizeof seg.head.notices);
	memcpy(seg.head.notices, "one\ntwo\n", 8);
	ok(!decode() && !strncmp(snap.notices, "one\ntwo\n??", 10) && strlen(snap.notices) == WIRE_NOTICES - 1, "nor can a notice, which ends");
	seg_build(&seg, 412);
	seg.thread[1].epoch = 9;
	ok(!decode() && !snap.thread[1].tid && !snap.thread[1].allocs, "a thread of another epoch has no totals");
	seg_build(&seg, 412);
	seg.class[5].epoch = 1, seg.class[5].alloc_bytes = 99;
	ok(!decode() && snap.class[5].alloc_bytes == 0, "nor has a class");
}

static void exact(void)
{
	seg_build(&seg, 412);
	seg.exact[7] = (struct wire_exact){ 1, 50, 64, 0, 0 };
	seg.exact[WIRE_CLASSES + 7] = (struct wire_exact){ 10, 500, 640, 4, 256 };
	seg.exact[2 * WIRE_CLASSES + 7] = (struct wire_exact){ 1000, 1, 1, 1, 1 };
	ok(!decode() && snap.exact[7].alloc_objects == 0, "exact counts are not read unless they are on");
	seg.head.flags = WIRE_EXACT_ON;
	decode();
	near(snap.exact[7].alloc_objects, 11, "exact calls, summed over the threads in use");
	near(snap.exact[7].live_bytes, 64 + 640 - 256, "exact live bytes");
	seg.thread[1].epoch = 1;
	decode();
	near(snap.exact[7].alloc_objects, 1, "threads of another epoch do not count");
}

/* A segment that moves while it is read: the hook runs before each read. */
struct moving { struct mem mem; unsigned reads; void (*before)(unsigned nth, uint64_t offset, size_t n); };

static ssize_t moving_read(struct mem *m, uint64_t addr, void *buf, size_t n)
{
	struct moving *v = (struct moving *)m;

	v->before(v->reads++, addr - BASE, n);
	memcpy(buf, (char *)&seg + (addr - BASE), n);
	return (ssize_t)n;
}

static void moving_close(struct mem *m) { (void)m; }

static const struct mem_ops moving_ops = { "moving", moving_read, moving_close };

static unsigned writes;

/* The writer of record 0 is seen at work in the first copies, and is done then. */
static void write_slowly(unsigned nth, uint64_t offset, size_t n)
{
	(void)nth;
	if (offset != offsetof(struct seg, live) || writes > 7) return;
	(void)n;
	seg.live[0].seq++;
	seg.live[0].size = seg.live[0].seq & 1 ? 1 : 500;
	writes++;
}

static void write_forever(unsigned nth, uint64_t offset, size_t n)
{
	(void)nth, (void)n;
	if (offset == offsetof(struct seg, live)) seg.live[0].seq += 2;
}

static unsigned resets;

static void reset_once(unsigned nth, uint64_t offset, size_t n)
{
	(void)nth, (void)n;
	if (offset != offsetof(struct seg, class) || !resets) return;
	resets--;
	seg.head.control.epoch++;
	seg.live[0].epoch++;
	seg.site[1].epoch++;
}

static int decode_moving(void (*before)(unsigned, uint64_t, size_t))
{
	struct moving v = { { &moving_ops }, 0, before };
	struct segment g = { &v.mem, BASE, sizeof seg, "pid 412" };

	snapshot_free(&snap);
	return segment_decode(&g, NULL, &snap, &err);
}

static void moving(void)
{
	seg_build(&seg, 412);
	ok(!decode_moving(write_slowly) && snap.nlive == 3 && snap.live[0].size == 500 && !snap.torn && writes == 8, "a record is read again until it stands still");
	seg_build(&seg, 412);
	ok(!decode_moving(write_forever) && snap.nlive == 2 && snap.torn == 1, "but not for ever");
	seg_build(&seg, 412);
	resets = 1;
	ok(!decode_moving(reset_once) && snap.epoch == 4 && snap.nlive == 1 && snap.site[1].samples == 4 && !snap.site[2].samples,
	   "a reset in the middle: all of it is read again");
	seg_build(&seg, 412);
	resets = 1000;
	ok(decode_moving(reset_once) && strstr(err.text, "reset"), "reset each time: %s", err.text);
}

int main(void)
{
	good();
	clocks();
	refused();
	bounded();
	bad_records();
	bad_sites();
	bad_others();
	exact();
	moving();
	snapshot_free(&snap);
	return done();
}
