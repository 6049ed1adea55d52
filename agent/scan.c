/* scan.c: see scan.h. The loader is asked. */
#include "scan.h"
#include "cc.h"
#include "ehframe.h"
#include "elf.h"
#include "modules.h"
#include "sys.h"

struct scan { uintptr_t tls; unsigned index; };

static struct scan_mark seen;
static struct scan_range own;
/* Where the agent is linked into the program, its code is a section of the program's. */
extern const char __start_alloctop_text[] __attribute__((weak, visibility("hidden"))), __stop_alloctop_text[] __attribute__((weak, visibility("hidden")));

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

static int take(const struct elf_object *o, size_t size, void *arg)
{
	static struct module fresh;     /* too large for a small stack; guarded by the lock of modules.c */
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
	if ((uintptr_t)scan_objects - fresh.start < fresh.end - fresh.start && !fresh.is_main) own = (struct scan_range){ fresh.start, fresh.end - fresh.start };
	if (modules_known(&fresh)) return 0;
	if (!fresh.hdr) search_frames(&fresh, o);
	modules_add(&fresh);
	return 0;
}

uintptr_t scan_objects(void)
{
	struct scan s = { 0 };
	dl_iterate_phdr(take, &s);
	return s.tls;
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

int scan_due(struct scan_mark *now)
{
	*now = (struct scan_mark){ { 0 } };
	if (!dl_iterate_phdr) return 0;
	dl_iterate_phdr(peek, now->count);
	return !now->count[0] || now->count[0] != LOAD(seen.count[0]) || now->count[1] != LOAD(seen.count[1]);
}

void scan_done(const struct scan_mark *now)
{
	STORE(seen.count[0], now->count[0]);
	STORE(seen.count[1], now->count[1]);
}

int scan_news(void)
{
	return 0;
}

struct scan_range scan_own(void)
{
	if (own.size || !__start_alloctop_text) return own;
	return (struct scan_range){ (uintptr_t)__start_alloctop_text, (uintptr_t)(__stop_alloctop_text - __start_alloctop_text) };
}
