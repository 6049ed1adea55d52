/* segment.c: see segment.h. */
#include "segment.h"
#include "life.h"
#include "notice.h"
#include "origin.h"
#include "sandbox.h"
#include "settings.h"
#include "sys.h"

enum {
	LIVE = 1 << 20, SITES = 1 << 16, FRAMES = 1 << 21, THREADS = 4096, MODULES = 1024, TIMINGS = WIRE_OPS * WIRE_CLASSES,
	SCALES = 4,             /* sizes to try, each a quarter of the one before */
};

struct segment segment = { .fd = -1 };

struct plan { uint64_t size, private_size; uint32_t live, sites, frames, threads, exact; };

static uint64_t page_up(uint64_t n) { return (n + SYS_PAGE - 1) & ~(uint64_t)(SYS_PAGE - 1); }

static struct plan plan_of(unsigned scale)
{
	struct plan p = { .live = LIVE >> 2 * scale, .sites = SITES >> 2 * scale, .frames = FRAMES >> 2 * scale, .threads = THREADS };
	if (p.live > INDEX_IDS) p.live = INDEX_IDS;
	p.exact = settings.exact ? THREADS * WIRE_CLASSES : 0;
	p.size = page_up(sizeof(struct wire_header)) + page_up(MODULES * sizeof(struct wire_module)) + page_up(p.frames * 8ULL)
		+ page_up(p.sites * sizeof(struct wire_site)) + page_up(p.live * sizeof(struct wire_live))
		+ page_up(p.threads * sizeof(struct wire_thread)) + page_up(WIRE_CLASSES * sizeof(struct wire_class))
		+ page_up(p.exact * sizeof(struct wire_exact)) + page_up(TIMINGS * sizeof(struct wire_timing));
	p.private_size = page_up(index_bytes(p.live)) + page_up(index_bytes(p.sites));
	return p;
}

static uint64_t row(struct wire_header *h, unsigned i, enum wire_kind kind, uint64_t at, uint32_t size, uint32_t capacity, uint32_t used)
{
	h->section[i] = (struct wire_section){ at, kind, size, capacity, used };
	return at + page_up((uint64_t)size * capacity);
}

static void lay_out(struct wire_header *h, const struct plan *p, void *private)
{
	uint64_t at = page_up(sizeof *h);
	at = row(h, 0, WIRE_MODULES, at, sizeof(struct wire_module), MODULES, 0);
	at = row(h, 1, WIRE_FRAMES, at, 8, p->frames, 0);
	at = row(h, 2, WIRE_SITES, at, sizeof(struct wire_site), p->sites, 1);
	at = row(h, 3, WIRE_LIVE, at, sizeof(struct wire_live), p->live, 0);
	at = row(h, 4, WIRE_THREADS, at, sizeof(struct wire_thread), p->threads, 1);
	at = row(h, 5, WIRE_CLASS, at, sizeof(struct wire_class), WIRE_CLASSES, WIRE_CLASSES);
	at = row(h, 6, WIRE_EXACT, at, sizeof(struct wire_exact), p->exact, p->exact);
	row(h, 7, WIRE_TIMING, at, sizeof(struct wire_timing), TIMINGS, 0);
	segment.head = h;
	char *base = (char *)h;
	segment.modules = (void *)(base + h->section[0].offset);
	segment.frames = (void *)(base + h->section[1].offset);
	segment.sites = (void *)(base + h->section[2].offset);
	segment.live = (void *)(base + h->section[3].offset);
	segment.threads = (void *)(base + h->section[4].offset);
	segment.classes = (void *)(base + h->section[5].offset);
	segment.exact = p->exact ? (void *)(base + h->section[6].offset) : 0;
	segment.timing = (void *)(base + h->section[7].offset);
	segment.modules_max = MODULES;
	segment.frames_max = p->frames;
	segment.sites_max = p->sites;
	segment.live_max = p->live;
	segment.threads_max = p->threads;
	segment.live_free = 0;
	segment.live_used = segment.frames_used = 0;
	segment.sites_used = segment.threads_used = 1;  /* entry 0 gathers */
	index_init(&segment.live_index, private, p->live);
	index_init(&segment.site_index, (char *)private + page_up(index_bytes(p->live)), p->sites);
}

static void fill_header(struct wire_header *h, uint64_t size, uint32_t flags, int forked, const char *notices)
{
	h->version = WIRE_VERSION;
	h->header_size = sizeof *h;
	h->size = size;
	h->page_size = SYS_PAGE;
	h->flags = flags | (settings.exact ? WIRE_EXACT_ON : 0);
	origin_stamp(h, forked);
	h->control.rate = settings.rate;
	h->control.running = 1;
	memcpy(h->notices, notices, strlen(notices) + 1);
	RELEASE(*(uint64_t *)(void *)h->magic, *(const uint64_t *)(const void *)WIRE_MAGIC);
}

static struct { void *at, *private; unsigned scale; } held;

static int map_over(void *at, uint64_t size)
{
	return sys_failed(sys_mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0));
}

int segment_renew(void)
{
	struct plan p = plan_of(held.scale);
	int old = sandbox_entered() ? -1 : segment_descriptor();
	if (old >= 0) sys_close(old);
	segment.fd = -1;
	if (!held.private || map_over(held.at, p.size) || map_over(held.private, p.private_size)) return -1;
	lay_out(held.at, &p, held.private);
	fill_header(held.at, p.size, WIRE_PRIVATE, 1, "");
	return 0;
}

static void unmap(const char *from, const char *to)
{
	if (from < to) sys_munmap((void *)from, (size_t)(to - from));
}

static void cut(uint32_t *max, uint32_t used, uint32_t room, const void *table, size_t size)
{
	uint32_t keep = used < *max / 2 ? used * 2 + room : *max;
	if (keep >= *max) return;
	uint64_t from = page_up((uint64_t)table + keep * size), end = page_up((uint64_t)table + *max * size);
	RELEASE(*max, keep);
	unmap((char *)from, (char *)end);
}

int segment_trim(void)
{
	enum { ROOM = 1024, ROOM_FRAMES = 1 << 14, ROOM_THREADS = 128 };
	void *private = __atomic_exchange_n(&held.private, NULL, __ATOMIC_ACQ_REL);
	if (!private) return -1;
	cut(&segment.frames_max, LOAD(segment.frames_used), ROOM_FRAMES, segment.frames, sizeof *segment.frames);
	cut(&segment.sites_max, LOAD(segment.sites_used), ROOM, segment.sites, sizeof *segment.sites);
	uint32_t threads = segment.threads_max;
	cut(&segment.threads_max, LOAD(segment.threads_used), ROOM_THREADS, segment.threads, sizeof *segment.threads);
	if (segment.exact) cut(&threads, LOAD(segment.threads_used), ROOM_THREADS, segment.exact, WIRE_CLASSES * sizeof *segment.exact);
	cut(&segment.live_max, LOAD(segment.live_used), 2 * ROOM, segment.live, sizeof *segment.live);
	uint64_t *end, *from = index_trim(&segment.live_index, &end);
	unmap((char *)from, (char *)end);
	from = index_trim(&segment.site_index, &end);
	unmap((char *)from, (char *)end);
	return 0;
}

int segment_open(const char *notices)
{
	for (unsigned scale = 0; scale < SCALES; scale++) {
		struct plan p = plan_of(scale);
		struct origin_memory m;
		if (origin_memory(&m, p.size, p.private_size, scale, scale == SCALES - 1)) continue;
		held.at = m.at, held.private = m.private, held.scale = scale;
		segment.fd = m.fd;
		segment.inode = m.inode;
		lay_out(m.at, &p, m.private);
		fill_header(m.at, p.size, m.flags, 0, notices);
		if (m.flags & WIRE_PRIVATE && settings.segment[0])
			notice_add(segment.head->notices, WIRE_NOTICES, "ALLOCTOP_SEGMENT", "the file cannot be made or filled; memory is used");
		return 0;
	}
	return -1;
}

uint64_t segment_reserved(void)
{
	struct plan p = plan_of(held.scale);
	return held.at ? p.size + p.private_size : 0;
}

int segment_descriptor(void)
{
	struct statx st;
	int fd = segment.fd;
	return fd >= 0 && !sys_statx(fd, "", AT_EMPTY_PATH, &st) && st.stx_ino == segment.inode ? fd : -1;
}

void segment_publish(enum wire_kind kind, uint32_t used)
{
	uint32_t *at = &segment.head->section[kind - WIRE_MODULES].used, seen = LOAD(*at);
	while (seen < used && !CAS(*at, &seen, used)) ;
}
