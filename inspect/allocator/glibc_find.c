/* glibc_find.c: finds main_arena and mp_ in a process without symbols, by what they must look like. main_arena: 127 bins that are
 * empty lists or lists of chunks, and a ring of arenas that returns to it; only the right layout makes the ring close. It is
 * initialised data, so only what a file backs is searched. */
#include "inspect/allocator/glibc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

const struct glibc_layout glibc_layouts[GLIBC_LAYOUTS] = {
	{ "2.17", "2.22", 8, 88, 104, 2152, 0, 2168, 2184 },
	{ "2.23", "2.26", 8, 88, 104, 2152, 2168, 2176, 2192 },
	{ "2.27", "2.42", 16, 96, 112, 2160, 2176, 2184, 2200 },
	{ "2.43", "", 0, 8, 24, 2072, 2088, 2096, 2112 },
};

const struct glibc_par glibc_pars[GLIBC_PARS] = {
	{ "2.17", "2.23", 40, 44, 56, 80, 0, 0, 88 },
	{ "2.24", "2.25", 40, 44, 56, 72, 0, 0, 80 },
	{ "2.26", "2.34", 40, 44, 56, 72, 80, 96, 112 },
	{ "2.35", "2.42", 60, 64, 80, 96, 104, 120, 136 },
	{ "2.43", "", 68, 72, 88, 104, 112, 128, 144 },
};

enum { PIECE = 1 << 20, DATA_MAX = 256 << 20, TEXT_MAX = 16 << 20, THREADS_MAX = 1 << 22, FAR_MAX = 12, MEM_MIN = 4096 };

/* struct heap_info stands at the start of a heap that is aligned to at least 4 MiB; the arena is right behind it. */
static int like_arena(uint64_t addr)
{
	return (addr & 0x3fffff) == 0x20 || (addr & 0x3fffff) == 0x30;
}

enum { MOVED_MAX = 4 };

/* Does the list of a bin begin with a chunk that points back? In a busy program it may be another one since the bin was read. */
static int begins_well(const struct target *t, uint64_t bin, uint64_t first)
{
	struct glibc_chunk c;

	for (unsigned i = 0; i < MOVED_MAX; i++) {
		if (mem_read_some(t->mem, first, &c, sizeof c) == sizeof c && c.bk == bin) return 1;
		if (mem_read_some(t->mem, bin + 16, &first, sizeof first) < sizeof first) return 0;
		if (first == bin) return 1;
	}
	return 0;
}

/* Bins of a state that has been used: each empty, or two pointers to chunks. */
static int good_bins(const struct target *t, const unsigned char *s, uint64_t addr, const struct glibc_layout *l)
{
	unsigned good = 0, deep = 0;

	for (unsigned i = 0; i < GLIBC_BINS; i++) {
		uint64_t bin = addr + l->bins + 16 * i - 16, fd = glibc_u64(s, l->bins + 16 * i), bk = glibc_u64(s, l->bins + 16 * i + 8);
		if (fd == bin && bk == bin) {
			good++;
			continue;
		}
		if (!fd || !bk || fd % 16 || bk % 16) continue;
		good++;
		if (++deep <= FAR_MAX && !begins_well(t, bin, fd)) good--;
	}
	return good >= GLIBC_BINS - 7;
}

/* Initialised by the linker, never used: somebody else is the program's malloc. */
static int unused(const unsigned char *s, uint64_t addr, const struct glibc_layout *l)
{
	for (unsigned i = l->bins; i < l->bins + 16u * GLIBC_BINS; i += 8)
		if (glibc_u64(s, i)) return 0;
	return l->attached && glibc_u64(s, l->attached) == 1 && !glibc_u64(s, l->top) && !glibc_u64(s, l->system_mem) && glibc_u64(s, l->next) == addr;
}

static void decode(struct glibc_arena *a, const struct glibc_layout *l)
{
	a->top = glibc_u64(a->state, l->top);
	a->system_mem = glibc_u64(a->state, l->system_mem);
	a->attached = l->attached ? glibc_u64(a->state, l->attached) : HEAP_UNKNOWN;
}

int glibc_ring(const struct target *t, uint64_t main_arena, const struct glibc_layout *l, struct glibc_arena **out, size_t *n)
{
	struct glibc_arena *a = NULL;
	uint64_t addr = main_arena, info;

	*n = 0;
	do {
		if (!(*n & (*n - 1))) a = xreallocarray(a, *n ? *n * 2 : 1, sizeof *a);
		memset(&a[*n], 0, sizeof *a);
		a[*n].addr = addr;
		if (*n == GLIBC_ARENAS || addr % 8 || mem_read_some(t->mem, addr, a[*n].state, l->size) < l->size) break;
		/* another arena says in the heap_info before it that it is one */
		if (*n && (!like_arena(addr) || mem_read_some(t->mem, addr & ~(uint64_t)0xfff, &info, 8) < 8 || info != addr)) break;
		decode(&a[*n], l);
		addr = glibc_u64(a[(*n)++].state, l->next);
	} while (addr != main_arena);
	*out = a;
	if (addr == main_arena && *n) return 0;
	free(a);
	*out = NULL;
	*n = 0;
	return -1;
}

/* Is there a main_arena of this layout at addr? Returns how many arenas its ring has, 0 if not. */
static size_t check(const struct target *t, uint64_t addr, const struct glibc_layout *l)
{
	struct glibc_arena *ring;
	size_t n;
	int good;

	if (glibc_ring(t, addr, l, &ring, &n)) return 0;
	const unsigned char *s = ring->state;
	uint64_t threads = l->attached ? ring->attached : 0;
	good = glibc_u32(s, 0) <= 2 && threads <= THREADS_MAX &&
	       (unused(s, addr, l) || (ring->system_mem >= MEM_MIN && ring->top && ring->top % 16 == 0 && good_bins(t, s, addr, l)));
	free(ring);
	return good ? n : 0;
}

/* A word that could be the `next` of a main_arena: which layout, its address in *addr. */
static const struct glibc_layout *try_word(const struct target *t, uint64_t at, uint64_t w, uint64_t *addr, size_t *arenas)
{
	for (unsigned k = 0; k < GLIBC_LAYOUTS; k++) {
		const struct glibc_layout *l = &glibc_layouts[k];
		*addr = at - l->next;
		if (w != *addr && !(like_arena(w) && target_is_anonymous(t, w))) continue;
		if ((*arenas = check(t, *addr, l))) return l;
	}
	return NULL;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What a file backs of a region, and a page more: states straddle its end. */
static uint64_t data_end(const struct target *t, const struct target_region *r)
{
	uint64_t end = r->start, most = r->end - r->start < DATA_MAX ? r->end : r->start + DATA_MAX;

	for (const struct map *m = maps_find(&t->maps, r->start); m && m < t->maps.map + t->maps.n && m->start == end && m->inode; m++)
		end = m->end;
	end += 4096;
	return end < most ? end : most;
}

/* Could one glibc have both? Versions compare as text. */
static int same_time(const struct glibc_par *p, const struct glibc_layout *l)
{
	return (!*l->until || strcmp(p->since, l->until) <= 0) && (!*p->until || strcmp(l->since, p->until) <= 0);
}

/* mp_ lies in the same data. The value that nobody changes, 65536, and sane neighbours. */
static uint64_t find_par(const struct target *t, const struct glibc_layout *l, uint64_t start, const unsigned char *data, size_t n, unsigned *variant)
{
	for (size_t o = 0; o + GLIBC_PAR <= n; o += 8) {
		const unsigned char *s = data + o;
		uint64_t arena_test = glibc_u64(s, 24), threshold = glibc_u64(s, 16);
		if (arena_test < 1 || arena_test > 64 || threshold > 1ull << 40 || glibc_u64(s, 0) < 4096) continue;
		for (unsigned v = GLIBC_PARS; v-- > 0;) {
			const struct glibc_par *p = &glibc_pars[v];
			uint32_t now = glibc_u32(s, p->n_mmaps), most = glibc_u32(s, p->n_mmaps + 8u);
			uint64_t mem = glibc_u64(s, p->mmapped_mem), brk = glibc_u64(s, p->sbrk_base);
			if (!same_time(p, l) || glibc_u32(s, p->n_mmaps_max) != 65536 || now > most || (now == 0) != (mem == 0) || mem > glibc_u64(s, p->mmapped_mem + 8u)) continue;
			if (p->tcache_bins && (glibc_u64(s, p->tcache_bins) < 64 || glibc_u64(s, p->tcache_bins) > 128)) continue;
			if (brk && !target_is_anonymous(t, brk)) continue;
			*variant = v;
			return start + o;
		}
	}
	return 0;
}

/* glibc says which it is in the read-only data of libc.so.6. Only dynamic programs have it. */
static void find_version(const struct target *t, const struct target_region *r, char *out, size_t n)
{
	static const char words[] = "GNU C Library", release[] = "release version ";
	size_t left = TEXT_MAX;

	for (size_t i = 0; i < t->maps.n && !*out; i++) {
		const struct map *m = &t->maps.map[i];
		size_t size = (size_t)(m->end - m->start);
		if (m->write || !m->read || strcmp(m->path, r->path) || size > left) continue;
		char *text = xmalloc(size), *p, *q;
		int fd = t->pid ? target_file(t, m) : -1;
		/* from the file: the process has hardly ever read this page */
		ssize_t got = fd >= 0 ? pread(fd, text, size, (off_t)m->offset) : t->pid ? 0 : (ssize_t)mem_read_some(t->mem, m->start, text, size);
		if (fd >= 0) close(fd);
		left -= size;
		size = got > 0 ? (size_t)got : 0;
		if ((p = memmem(text, size, words, sizeof words - 1)) && (size_t)(text + size - p) > 200 && (q = memmem(p, 200, release, sizeof release - 1))) {
			q += sizeof release - 1;
			snprintf(out, n, "%.*s", (int)strspn(q, "0123456789."), q);
			size_t len = strlen(out);
			while (len && out[len - 1] == '.') out[--len] = 0;
		}
		free(text);
	}
}

static void describe(const struct target *t, const struct target_region *r, const struct glibc_layout *l, size_t arenas, struct allocator_found *f)
{
	const struct glibc_par *p = f->extra[0] ? &glibc_pars[f->extra[1]] : NULL;
	const char *since = p && strcmp(p->since, l->since) > 0 ? p->since : l->since;
	const char *until = p && *p->until && (!*l->until || strcmp(p->until, l->until) < 0) ? p->until : l->until;

	find_version(t, r, f->version, sizeof f->version);
	if (!*f->version) snprintf(f->version, sizeof f->version, *until ? "%s..%s" : "%s or later", since, until);
	snprintf(f->owner, sizeof f->owner, "%.63s", base_name(r->path));
	snprintf(f->evidence, sizeof f->evidence, "main_arena at 0x%llx in %.60s: consistent bins, a ring of %zu arena%s, layout of %s%s%s",
	         (unsigned long long)f->state, base_name(r->path), arenas, arenas == 1 ? "" : "s", l->since, *l->until ? ".." : " or later", l->until);
}

static int search(const struct target *t, const struct target_region *r, struct allocator_found *f)
{
	uint64_t end = data_end(t, r), addr;
	size_t n = (size_t)(end - r->start), arenas;
	unsigned char *data = xmalloc(n);
	unsigned variant = 0;
	int found = 0;

	n = target_peek(t, r->start, data, n);
	for (size_t o = 0; o + 8 <= n && !found; o += 8) {
		uint64_t w = glibc_u64(data, o);
		if (w < 4096) continue;
		const struct glibc_layout *l = try_word(t, r->start + o, w, &addr, &arenas);
		if (!l || addr < r->start) continue;
		found = 1;
		f->state = addr;
		f->layout = (unsigned)(l - glibc_layouts);
		f->extra[0] = find_par(t, l, r->start, data, n, &variant);
		f->extra[1] = variant;
		describe(t, r, l, arenas, f);
	}
	free(data);
	return found;
}

size_t glibc_find(const struct target *t, struct allocator_found *out, size_t max)
{
	struct target_region *r;
	size_t n = target_data_regions(t, &r), found = 0;

	for (size_t i = 0; i < n && found < max; i++) {
		memset(&out[found], 0, sizeof *out);
		if (search(t, &r[i], &out[found])) found++;
	}
	free(r);
	return found;
}
