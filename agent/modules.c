/* modules.c: see modules.h. Records stand in a fixed pool and are found through two sorted tables of which one is current: a scan
 * builds the other one and turns. A reader that was overtaken by two turns tries again, a few times. A record whose object went
 * is used again only when no fresh one is left. */
#include "modules.h"
#include "cc.h"
#include "scan.h"
#include "sys.h"

enum { NEVER_USED, LOADED, GONE };
enum { IDLE, BUSY, AGAIN };
enum { ROUNDS = 8, RETRIES = 4 };

struct row { uintptr_t start, end; const struct module *module; };
struct table { uint32_t n; struct row row[MODULES_MAX]; };

static struct module pool[MODULES_MAX];
static uint32_t pool_used;
static struct table tables[2];
static uint32_t turn, generation, lock, scan_number;
static uintptr_t tls_bytes;
static unsigned changed;
static struct { struct wire_module *table; struct wire_section *section; uint64_t *lost; } published;


static void lose(void)
{
	if (published.lost) ADD(*published.lost, 1);
}

/* The name is compared too, as far as it is kept: a library may come back at its old address as another one of the same shape. */
static int same(const struct module *a, const struct module *b)
{
	return a->start == b->start && a->end == b->end && a->bias == b->bias && a->text == b->text && a->hdr == b->hdr &&
		a->build_id_size == b->build_id_size && !memcmp(a->build_id, b->build_id, a->build_id_size) && !strcmp(a->path, b->path);
}

static struct module *slot(void)
{
	if (pool_used < MODULES_MAX) return &pool[pool_used++];
	struct module *oldest = NULL;
	for (unsigned i = 0; i < MODULES_MAX; i++)
		if (pool[i].state == GONE && (!oldest || pool[i].seen < oldest->seen)) oldest = &pool[i];
	return oldest;
}

int modules_known(const struct module *fresh)
{
	struct module *m = (struct module *)(uintptr_t)modules_find(fresh->start);
	if (!m || m->state != LOADED || !same(m, fresh)) return 0;
	m->seen = scan_number;
	return 1;
}

void modules_add(const struct module *fresh)
{
	struct module *m = slot();
	changed = 1;
	if (!m) return lose();
	memcpy(m, fresh, sizeof *m);
	m->state = LOADED;
	m->seen = scan_number;
}

static void turn_table(void)
{
	struct table *t = &tables[(turn + 1) & 1];
	uint32_t n = 0;
	for (unsigned i = 0; i < pool_used; i++) {
		const struct module *m = &pool[i];
		if (m->state != LOADED) continue;
		unsigned at = n++;
		for (; at && t->row[at - 1].start > m->start; at--) t->row[at] = t->row[at - 1];
		t->row[at] = (struct row){ m->start, m->end, m };
	}
	t->n = n;
	RELEASE(turn, turn + 1);
	RELEASE(generation, generation + 1);
}

static void publish_one(struct module *m)
{
	struct wire_module *t = published.table;
	struct wire_section *s = published.section;
	if (m->state == GONE && m->row) {
		STORE(t[m->row - 1].unloaded, cpu_ticks());
		m->row = 0;
	}
	if (m->state != LOADED || m->row) return;
	if (s->used >= s->capacity) {
		lose();
		return;
	}
	struct wire_module *w = &t[s->used];
	w->start = m->start;
	w->end = m->end;
	w->bias = m->bias;
	w->unloaded = 0;
	w->build_id_size = m->build_id_size;
	memcpy(w->build_id, m->build_id, m->build_id_size);
	w->text = m->text & -(uint64_t)SYS_PAGE;
	w->text_end = (m->text_end + SYS_PAGE - 1) & -(uint64_t)SYS_PAGE;
	w->text_offset = m->text_offset & -(uint64_t)SYS_PAGE;
	w->flags = (m->is_main ? WIRE_MODULE_MAIN : 0) | (m->path_truncated ? WIRE_MODULE_PATH_CUT : 0);
	memcpy(w->path, m->path, sizeof w->path);
	m->row = s->used + 1;
	RELEASE(s->used, s->used + 1);
}

static void publish(void)
{
	for (unsigned i = 0; published.table && i < pool_used; i++) publish_one(&pool[i]);
}

static void scan_once(void)
{
	scan_number++;
	changed = 0;
	STORE(tls_bytes, scan_objects());
	for (unsigned i = 0; i < pool_used; i++)
		if (pool[i].state == LOADED && pool[i].seen != scan_number) {
			pool[i].state = GONE;
			changed = 1;
		}
	if (changed) turn_table();
	publish();
}

/* Whoever finds the lock taken leaves a note for its holder instead of waiting. */
static void locked(void (*work)(void))
{
	uint32_t was = IDLE;
	while (!CAS(lock, &was, was == IDLE ? BUSY : AGAIN))
		;
	if (was != IDLE) return;
	for (unsigned i = 0; i < ROUNDS; i++) {
		work();
		was = BUSY;
		if (CAS(lock, &was, IDLE)) return;
		RELEASE(lock, BUSY);
		work = scan_once;
	}
	RELEASE(lock, IDLE);
}

void modules_scan(void)
{
	struct scan_mark now;
	if (!scan_due(&now)) return;
	locked(scan_once);
	scan_done(&now);
}

const struct module *modules_find(uintptr_t pc)
{
	for (unsigned try = 0; try < RETRIES; try++) {
		uint32_t now = ACQUIRE(turn);
		const struct table *t = &tables[now & 1];
		uint32_t lo = 0, hi = LOAD(t->n);
		while (lo < hi) {
			uint32_t mid = (lo + hi) / 2;
			if (LOAD(t->row[mid].start) <= pc) lo = mid + 1;
			else hi = mid;
		}
		const struct module *m = lo && pc < LOAD(t->row[lo - 1].end) ? LOAD(t->row[lo - 1].module) : NULL;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (LOAD(turn) == now) return m;
	}
	return NULL;
}

uintptr_t modules_tls(void)
{
	return LOAD(tls_bytes);
}

uint32_t modules_generation(void)
{
	return ACQUIRE(generation);
}

void modules_publish(struct wire_module *table, struct wire_section *section, uint64_t *lost)
{
	published.table = table;
	published.section = section;
	published.lost = lost;
	locked(publish);
}

void modules_forked(void)
{
	published.table = NULL;
	published.lost = NULL;
	for (unsigned i = 0; i < pool_used; i++) pool[i].row = 0;
	RELEASE(lock, IDLE);
}
