/* live.c: see live.h. Records lie dense in the segment; emptied ones are chained through their `size` (list head: tag << 32 | id + 1,
 * the tag defeats reuse between read and exchange). The index is private memory: a reader scans the records. */
#include "live.h"
#include "segment.h"

enum { TRIES = 16 };

uint8_t live_near[LIVE_NEAR] ALIGNED(64), live_far[LIVE_FAR] ALIGNED(64);

static void raise(uint8_t *f)
{
	uint8_t n = LOAD(*f);
	while (n != 255 && !CAS(*f, &n, n + 1)) ;
}

static void lower(uint8_t *f)
{
	uint8_t n = LOAD(*f);
	while (n != 255 && n && !CAS(*f, &n, n - 1)) ;
}

static void filter_add(uint64_t addr)
{
	raise(live_at_far(addr));
	raise(live_at_near(addr));
}

static void filter_sub(uint64_t addr)
{
	lower(live_at_near(addr));
	lower(live_at_far(addr));
}

void live_filter_saturate(void)
{
	for (uint32_t i = 0; i < LIVE_FAR; i++) STORE(live_far[i], 255);
	for (uint32_t i = 0; i < LIVE_NEAR; i++) STORE(live_near[i], 255);
}

static void clear(void *filter, uint32_t n)
{
	uint64_t *f = filter;
	for (uint32_t i = 0; i < n / 8; i++)
		if (f[i]) f[i] = 0;     /* a page that was never written stays shared with the zero page */
}

void live_filter_clear(void)
{
	clear(live_near, LIVE_NEAR);
	clear(live_far, LIVE_FAR);
}

static uint64_t key_of(uint64_t addr) { return addr >> 3 & ((1ULL << 44) - 1); }

static int record_take(uint32_t *id)
{
	uint64_t head = ACQUIRE(segment.live_free);
	for (int i = 0; i < TRIES && (uint32_t)head; i++) {
		uint32_t at = (uint32_t)head - 1;
		if (at >= segment.live_max) return -1;
		uint64_t next = LOAD(segment.live[at].size) & UINT32_MAX;
		if (!CAS(segment.live_free, &head, ((head >> 32) + 1) << 32 | next)) continue;
		*id = at;
		return 0;
	}
	uint32_t n = LOAD(segment.live_used);
	while (n < segment.live_max)
		if (CAS(segment.live_used, &n, n + 1)) {
			segment_publish(WIRE_LIVE, n + 1);
			*id = n;
			return 0;
		}
	return -1;
}

static void record_give(uint32_t id)
{
	uint64_t head = ACQUIRE(segment.live_free);
	for (int i = 0; i < TRIES * TRIES; i++) {
		STORE(segment.live[id].size, head & UINT32_MAX);
		if (CAS(segment.live_free, &head, ((head >> 32) + 1) << 32 | (id + 1))) return;
	}
	segment_lost(WIRE_LOST_CONTENTION);     /* a slot less */
}

static void record_empty(uint32_t id)
{
	struct wire_live *r = &segment.live[id];
	uint32_t seq = LOAD(r->seq);
	STORE(r->seq, seq | 1);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	STORE(r->addr, 0);
	RELEASE(r->seq, (seq | 1) + 1);
	record_give(id);
}

int live_insert(const struct wire_live *b)
{
	struct wire_live stale;
	uint32_t id;
	/* freed behind our back, through a way that is not hooked */
	if (live_maybe((void *)b->addr) && !live_remove(b->addr, &stale)) segment_lost(WIRE_LOST_STALE);
	if (record_take(&id)) {
		segment_lost(WIRE_LOST_LIVE_FULL);
		return -1;
	}
	struct wire_live *r = &segment.live[id];
	uint32_t seq = LOAD(r->seq) | 1;
	STORE(r->seq, seq);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	STORE(r->addr, b->addr);
	STORE(r->size, b->size);
	STORE(r->weight, b->weight);
	STORE(r->birth, b->birth);
	STORE(r->site, b->site);
	STORE(r->thread, b->thread);
	STORE(r->epoch, b->epoch);
	RELEASE(r->seq, seq + 1);
	filter_add(b->addr);
	if (!index_insert(&segment.live_index, key_of(b->addr), id)) return 0;
	filter_sub(b->addr);
	record_empty(id);
	segment_lost(WIRE_LOST_CONTENTION);
	return -1;
}

int live_remove(uint64_t addr, struct wire_live *b)
{
	uint32_t id;
	if (index_remove(&segment.live_index, key_of(addr), &id)) return -1;
	*b = segment.live[id];
	record_empty(id);
	filter_sub(addr);
	return 0;
}
