/* segment.h: builds segments for tests, byte by byte as wire.h says, without the agent. A test changes what it wants afterwards. */
#ifndef TESTS_SEGMENT_H
#define TESTS_SEGMENT_H

#include <stdint.h>
#include <string.h>
#include "agent/wire.h"

enum { SEG_MODULES = 4, SEG_FRAMES = 32, SEG_SITES = 8, SEG_LIVE = 16, SEG_THREADS = 4 };

struct seg {
	struct wire_header head;
	struct wire_module module[SEG_MODULES];
	uint64_t frame[SEG_FRAMES];
	struct wire_site site[SEG_SITES];
	struct wire_live live[SEG_LIVE];
	struct wire_thread thread[SEG_THREADS];
	struct wire_class class[WIRE_CLASSES];
	struct wire_exact exact[SEG_THREADS * WIRE_CLASSES];
};

/* Rows of the header, in this order. */
enum { ROW_MODULES, ROW_FRAMES, ROW_SITES, ROW_LIVE, ROW_THREADS, ROW_CLASS, ROW_EXACT };

static inline void seg_row(struct seg *s, unsigned row, enum wire_kind kind, size_t offset, size_t entry, uint32_t capacity, uint32_t used)
{
	s->head.section[row] = (struct wire_section){ offset, kind, (uint32_t)entry, capacity, used };
}

/* A module, two sites (A: 3 frames, B: 2 frames) beside site 0, three live blocks, one thread, one tick a nanosecond, age 10 s. */
static inline void seg_build(struct seg *s, uint32_t pid)
{
	memset(s, 0, sizeof *s);
	memcpy(s->head.magic, WIRE_MAGIC, 8);
	s->head.version = WIRE_VERSION;
	s->head.header_size = sizeof s->head;
	s->head.size = sizeof *s;
	s->head.pid = pid;
	s->head.page_size = 4096;
	s->head.realtime_ns = 1700000000ull * 1000000000;
	s->head.start = (struct wire_clock){ 5000000000, 7000000000 };
	s->head.last = (struct wire_clock){ 15000000000, 17000000000 };
	s->head.control = (struct wire_control){ .rate = 1000, .running = 1, .epoch = 3 };
	seg_row(s, ROW_MODULES, WIRE_MODULES, offsetof(struct seg, module), sizeof *s->module, SEG_MODULES, 1);
	seg_row(s, ROW_FRAMES, WIRE_FRAMES, offsetof(struct seg, frame), sizeof *s->frame, SEG_FRAMES, 5);
	seg_row(s, ROW_SITES, WIRE_SITES, offsetof(struct seg, site), sizeof *s->site, SEG_SITES, 3);
	seg_row(s, ROW_LIVE, WIRE_LIVE, offsetof(struct seg, live), sizeof *s->live, SEG_LIVE, 4);
	seg_row(s, ROW_THREADS, WIRE_THREADS, offsetof(struct seg, thread), sizeof *s->thread, SEG_THREADS, 2);
	seg_row(s, ROW_CLASS, WIRE_CLASS, offsetof(struct seg, class), sizeof *s->class, WIRE_CLASSES, WIRE_CLASSES);
	seg_row(s, ROW_EXACT, WIRE_EXACT, offsetof(struct seg, exact), sizeof *s->exact, SEG_THREADS * WIRE_CLASSES, SEG_THREADS * WIRE_CLASSES);

	s->module[0] = (struct wire_module){ .start = 0x400000, .end = 0x500000, .bias = 0x400000, .build_id_size = 3, .build_id = { 0xab, 0xcd, 0xef }, .path = "/bin/prog" };
	for (unsigned i = 0; i < 5; i++) s->frame[i] = 0x400100 + 0x10 * i;
	s->site[1] = (struct wire_site){ .frames = 0, .depth = 3, .epoch = 3, .samples = 4, .alloc_bytes = 4000, .alloc_objects_q16 = 8 << 16,
		.alloc_variance_kib2 = 2, .freed_samples = 2, .freed_bytes = 2000, .freed_objects_q16 = 4 << 16, .remote_bytes = 1000, .remote_samples = 1,
		.lifetime = { [3] = 2 } };
	s->site[2] = (struct wire_site){ .frames = 3, .depth = 2, .epoch = 3, .cut = 1 + WIRE_CUT_NO_RULE, .samples = 1, .alloc_bytes = 1500, .alloc_objects_q16 = 1 << 16 };
	uint32_t thread = wire_thread_id(1, 5);
	s->live[0] = (struct wire_live){ 0x10000, 500, 1000, 6000000000, 1, thread, 3, 2 };
	s->live[1] = (struct wire_live){ 0x20000, 250, 1000, 14000000000, 1, thread, 3, 4 };
	/* [2] is empty */
	s->live[3] = (struct wire_live){ 0x30000, 1500, 1500, 10000000000, 2, wire_thread_id(1, 4), 3, 8 };
	s->thread[0] = (struct wire_thread){ .epoch = 3, .allocs = 7 };
	s->thread[1] = (struct wire_thread){ .tid = 77, .epoch = 3, .start = 7000000000, .allocs = 100, .alloc_bytes = 5500, .frees = 60, .samples = 5, .name = "worker", .serial = 5 };
	s->class[wire_class_of(500)] = (struct wire_class){ .epoch = 3, .alloc_bytes = 4000, .alloc_objects_q16 = 8 << 16, .freed_bytes = 2000, .freed_objects_q16 = 4 << 16 };
}

#endif
