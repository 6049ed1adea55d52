/* jemalloc_bins.c: the bins of an arena: what each counted, and what its mutex counted. See jemalloc.h. */
#include "inspect/allocator/jemalloc.h"

#include "inspect/allocator/window.h"
#include "inspect/target/err.h"
#include "inspect/target/mem.h"

enum { BIN_MAX = 512, WAITERS_MAX = 1 << 22, LOCKED_MAX = 2, PTHREAD_KIND = 16, ADAPTIVE = 3, ELISION = 0x300 };

const struct jemalloc_layout jemalloc_layouts[] = {
	{ "5.3 or later", 224, .stats = 112, .slabcur = 192, .szind = 20, .nfree = 28, .leaf_state = 2, .leaf_pointer = 0xffffffffff80, .has_infos = 1, .ecache_numbered = 1 },
	{ "5.2", 280, .stats = 136, .slabcur = 112, .state = 16, .szind = 18, .nfree = 26, .cache_by_count = 1, .leaf_pointer = 0xfffffffffffe, .has_infos = 1 },
	{ "5.1", 264, .stats = 128, .slabcur = 104, .state = 16, .szind = 18, .nfree = 26, .cache_by_count = 1, .leaf_pointer = 0xfffffffffffe },
	{ "5.0", 264, .stats = 128, .slabcur = 104, .state = 15, .szind = 17, .nfree = 25, .cache_by_count = 1, .leaf_pointer = 0xfffffffffffe },
};

uint64_t jemalloc_size(unsigned szind)
{
	if (szind == 0) return 8;
	if (szind <= 8) return 16 * (uint64_t)szind;
	unsigned group = (szind - 9) / 4, step = (szind - 9) % 4;
	return ((uint64_t)128 << group) + ((uint64_t)32 << group) * (step + 1);
}

unsigned jemalloc_szind(uint64_t n)
{
	unsigned lo = 0, hi = JEMALLOC_SIZES - 1;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		if (jemalloc_size(mid) < n) lo = mid + 1;
		else hi = mid;
	}
	return lo;
}

int jemalloc_is_stats(const void *stats)
{
	uint64_t nmalloc = window_word(stats, 0), ndalloc = window_word(stats, 8), curregs = window_word(stats, 24);
	uint64_t nslabs = window_word(stats, 48), curslabs = window_word(stats, 64);

	if (nmalloc < ndalloc || curregs != nmalloc - ndalloc || curslabs > nslabs || nslabs > nmalloc || nmalloc >> 56) return 0;
	if (curregs && (!curslabs || curregs / curslabs > 512)) return 0;
	return nmalloc ? 2 : 1;
}

static void mutex_decode(const void *p, struct jemalloc_mutex *m)
{
	*m = (struct jemalloc_mutex){ .wait_ns = window_word(p, 0), .max_wait_ns = window_word(p, 8), .waits = window_word(p, 16),
		.spins = window_word(p, 24), .switches = window_word(p, 40), .ops = window_word(p, 56) };
}

static int mutex_is_sane(const void *p, const struct jemalloc_mutex *m)
{
	return m->max_wait_ns <= m->wait_ns && m->switches <= m->ops && window_half(p, 32) <= WAITERS_MAX && window_half(p, 36) <= WAITERS_MAX;
}

/* glibc's: 0 to 2, plain or adaptive, and whether locks may be elided. musl's begins with its type, which is 0, and the holder. */
int jemalloc_is_mutex(const void *mutex)
{
	struct jemalloc_mutex m;
	const char *lock = (const char *)mutex + JEMALLOC_MUTEX_WORD;

	mutex_decode(mutex, &m);
	return mutex_is_sane(mutex, &m) && m.waits <= m.ops && m.spins <= m.ops && window_half(lock, 0) <= LOCKED_MAX && (window_half(lock, PTHREAD_KIND) & ~(uint32_t)ELISION) <= ADAPTIVE;
}

int jemalloc_mutex_read(const struct target *t, uint64_t addr, struct jemalloc_mutex *out)
{
	struct err ignored;
	char p[JEMALLOC_MUTEX_WORD];

	if (addr < JEMALLOC_MUTEX_WORD || mem_read(t->mem, addr - JEMALLOC_MUTEX_WORD, p, sizeof p, &ignored)) return -1;
	mutex_decode(p, out);
	return mutex_is_sane(p, out) ? 0 : -1;
}

static void add(struct jemalloc_bin *b, const char *stats, const struct jemalloc_mutex *m)
{
	b->nmalloc += window_word(stats, 0);
	b->ndalloc += window_word(stats, 8);
	b->nrequests += window_word(stats, 16);
	b->curregs += window_word(stats, 24);
	b->nslabs += window_word(stats, 48);
	b->curslabs += window_word(stats, 64);
	b->mutex.ops += m->ops;
	b->mutex.waits += m->waits;
	b->mutex.spins += m->spins;
	b->mutex.switches += m->switches;
	b->mutex.wait_ns += m->wait_ns;
	if (m->max_wait_ns > b->mutex.max_wait_ns) b->mutex.max_wait_ns = m->max_wait_ns;
}

size_t jemalloc_bins(struct window *w, const struct jemalloc_layout *l, const struct jemalloc_bin_info *info, uint64_t bins, struct jemalloc_bin *out, jemalloc_bin_fn *fn, void *arg)
{
	size_t bad = 0;

	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		out[i] = (struct jemalloc_bin){ 0 };
		for (unsigned s = 0; s < info[i].n_shards; s++, bins += l->stride) {
			char r[BIN_MAX];
			struct jemalloc_mutex m;
			if (window_read(w, bins, r, l->stride)) return bad + 1;
			mutex_decode(r, &m);
			/* a bin that is being changed is torn in one or two figures, nearly right in all: it counts, and is said to be torn */
			if (!jemalloc_is_stats(r + l->stats) || !mutex_is_sane(r, &m)) bad++;
			if (window_word(r + l->stats, 24) >> 48 || window_word(r + l->stats, 64) >> 48) continue;
			add(&out[i], r + l->stats, &m);
			if (fn) fn(arg, i, s, bins + JEMALLOC_MUTEX_WORD, &m);
		}
	}
	return bad;
}
