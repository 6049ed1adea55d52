/* modules.c: see modules.h. Records stand in a fixed pool and are found through two sorted tables of which one is current: a scan
 * builds the other one and turns. A reader that was overtaken by two turns tries again, a few times. A record whose object went
 * is used again only when no fresh one is left. */
#include "modules.h"
#include "cc.h"
#include "ehframe.h"
#include "elf.h"
#include "sys.h"

enum { FREE, LOADED, GONE };
enum { IDLE, BUSY, AGAIN };
enum { ROUNDS = 8, RETRIES = 4 };

struct row { uintptr_t start, end; const struct module *module; };
struct table { uint32_t n; struct row row[MODULES_MAX]; };

static struct module pool[MODULES_MAX];
static uint32_t pool_used;
static struct table tables[2];
static uint32_t turn, generation, lock, scan_number;
static uintptr_t tls_bytes;
static const struct module *self;
static struct { struct wire_module *table; struct wire_section *section; uint64_t *lost; } published;

struct scan { uintptr_t tls; unsigned index, changed; };

static void lose(void)
{
	if (published.lost) ADD(*published.lost, 1);
}

static void take_build_id(struct module *m, uintptr_t p, uintptr_t size, uintptr_t align)
{
	uintptr_t end = p + size, pad = align == 8 ? 7 : 3;
	while (p + sizeof(Elf64_Nhdr) <= end && p >= m->start && end <= m->end) {
		const Elf64_Nhdr *n = (const void *)p;
		uintptr_t name = p + sizeof *n, desc = name + ((n->n_namesz + pad) & ~pad), next = desc + ((n->n_descsz + pad) & ~pad);
		if (desc < name || next < desc || next > end + pad) return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp((const void *)name, "GNU", 4)) {
			m->build_id_size = n->n_descsz < sizeof m->build_id ? (uint8_t)n->n_descsz : sizeof m->build_id;
			memcpy(m->build_id, (const void *)desc, m->build_id_size);
			return;
		}
		p = next;
	}
}

/* Programs linked by musl-gcc and the like have .eh_frame without its index, and then nothing in memory says where it is. */
static void search_frames(struct module *m, const struct elf_object *o)
{
	for (unsigned i = 0; i < o->phnum && !m->frames; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		if (p->p_type != PT_LOAD || (p->p_flags & (PF_R | PF_W)) != PF_R) continue;
		uintptr_t end = m->bias + p->p_vaddr + p->p_memsz;
		m->frames = ehframe_search(m, m->bias + p->p_vaddr, end);
		m->frames_end = m->frames ? end : 0;
	}
}

static void take_segments(struct module *m, const struct elf_object *o)
{
	m->start = m->text = UINTPTR_MAX;
	m->bias = o->bias;
	m->text_readable = 1;
	for (unsigned i = 0; i < o->phnum; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		uintptr_t lo = m->bias + p->p_vaddr, hi = lo + p->p_memsz;
		if (p->p_type == PT_GNU_EH_FRAME) {
			m->hdr = lo;
			m->hdr_end = hi;
		}
		if (p->p_type == PT_TLS) m->tls = p->p_memsz + p->p_align;
		if (p->p_type != PT_LOAD || hi <= lo) continue;
		if (lo < m->start) m->start = lo;
		if (hi > m->end) m->end = hi;
		if (!(p->p_flags & PF_X)) continue;
		if (lo < m->text) {
			m->text = lo;
			m->text_offset = p->p_offset;
		}
		if (hi > m->text_end) m->text_end = hi;
		if (!(p->p_flags & PF_R)) m->text_readable = 0;
	}
	if (m->hdr < m->start || m->hdr_end > m->end) m->hdr = m->hdr_end = 0;
}

static void take_path(struct module *m, const char *name)
{
	long n = m->is_main ? sys_readlink("/proc/self/exe", m->path, sizeof m->path) : 0;
	if (n > 0) {
		m->path_truncated = n >= (long)sizeof m->path;
		m->path[n < (long)sizeof m->path ? n : (long)sizeof m->path - 1] = 0;
		return;
	}
	size_t len = name ? strlen(name) : 0;
	m->path_truncated = len >= sizeof m->path;
	if (m->path_truncated) len = sizeof m->path - 1;
	memcpy(m->path, name, len);
	m->path[len] = 0;
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

static int take(const struct elf_object *o, size_t size, void *arg)
{
	static struct module fresh;     /* too large for a small stack; guarded by the lock */
	struct scan *s = arg;
	(void)size;
	memset(&fresh, 0, sizeof fresh);
	fresh.is_main = s->index++ == 0;
	take_segments(&fresh, o);
	s->tls += fresh.tls;
	if (fresh.start >= fresh.end) return 0;
	for (unsigned i = 0; i < o->phnum && !fresh.build_id_size; i++) {
		const Elf64_Phdr *p = &o->phdr[i];
		if (p->p_type == PT_NOTE) take_build_id(&fresh, fresh.bias + p->p_vaddr, p->p_memsz, p->p_align);
	}
	take_path(&fresh, o->name);
	struct module *m = (struct module *)(uintptr_t)modules_find(fresh.start);
	if (!m || m->state != LOADED || !same(m, &fresh)) {
		s->changed = 1;
		m = slot();
		if (!m) {
			lose();
			return 0;
		}
		if (!fresh.hdr) search_frames(&fresh, o);
		memcpy(m, &fresh, sizeof *m);
		m->state = LOADED;
	}
	m->seen = scan_number;
	return 0;
}

static void turn_table(void)
{
	struct table *t = &tables[(turn + 1) & 1];
	uint32_t n = 0;
	const struct module *mine = NULL;
	for (unsigned i = 0; i < pool_used; i++) {
		const struct module *m = &pool[i];
		if (m->state != LOADED) continue;
		unsigned at = n++;
		for (; at && t->row[at - 1].start > m->start; at--) t->row[at] = t->row[at - 1];
		t->row[at] = (struct row){ m->start, m->end, m };
		if ((uintptr_t)turn_table - m->start < m->end - m->start && !m->is_main) mine = m;
	}
	t->n = n;
	RELEASE(self, mine);
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
	struct scan s = { 0 };
	scan_number++;
	dl_iterate_phdr(take, &s);
	STORE(tls_bytes, s.tls);
	for (unsigned i = 0; i < pool_used; i++)
		if (pool[i].state == LOADED && pool[i].seen != scan_number) {
			pool[i].state = GONE;
			s.changed = 1;
		}
	if (s.changed) turn_table();
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

/* The loader counts what comes and goes, and tells it with each object. */
static int peek(const struct elf_object *o, size_t size, void *arg)
{
	uint64_t *count = arg;
	if (size < offsetof(struct elf_object, subs) + sizeof o->subs) return 1;
	count[0] = o->adds + 1;         /* never 0 */
	count[1] = o->subs;
	return 1;
}

void modules_scan(void)
{
	static uint64_t seen[2];
	uint64_t now[2] = { 0 };
	if (!dl_iterate_phdr) return;
	dl_iterate_phdr(peek, now);
	if (now[0] && now[0] == LOAD(seen[0]) && now[1] == LOAD(seen[1])) return;
	locked(scan_once);
	STORE(seen[0], now[0]);
	STORE(seen[1], now[1]);
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

const struct module *modules_self(void)
{
	return ACQUIRE(self);
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
