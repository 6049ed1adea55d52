/* jemalloc_find.c: where jemalloc's state is, in a process without any symbols. Three things that confirm each other: the table of small
 * classes, a run of numbers like nothing else; in the data of the same object pointers to arenas, which stand in aligned blocks that say
 * their size, and are followed by bins whose counters add up and whose slabs say the class that they should; and the tree, whose leaf for such
 * a slab must point back to the slab's record. */
#include "inspect/allocator/jemalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/window.h"
#include "inspect/target/mem.h"
#include "inspect/target/xalloc.h"

enum {
	INFO = 40,                      /* a record of the table */
	ARENA_MAX = 192 << 10,          /* the bins begin before this */
	HITS = 4096,
	TRIES_MAX = 64,                 /* arenas looked at, in one object, that turn out to be none */
	CONFIRMED = 1,                  /* slabs that must say the class of their bin: one in 256 says it by chance */
	TORN_MAX = 8,
	CHANGING_MAX = 2,               /* of the first arena's: how often one makes no sense; as many others must confirm */
	BASE_NEAR = 72,                 /* bytes before the bins, or behind them, in which the pointer to the base is */
	BASE_IN_BLOCK = 512,            /* where in a block a base may be */
};

/* A slab has as many pages as its regions fill without a rest. */
static void known_infos(struct jemalloc_bin_info *info)
{
	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		info[i] = (struct jemalloc_bin_info){ .size = jemalloc_size(i), .slab_size = JEMALLOC_PAGE, .n_shards = 1 };
		while (info[i].slab_size % info[i].size) info[i].slab_size += JEMALLOC_PAGE;
		info[i].nregs = (uint32_t)(info[i].slab_size / info[i].size);
	}
}

int jemalloc_infos(struct window *w, uint64_t addr, struct jemalloc_bin_info *info)
{
	char buf[INFO * JEMALLOC_BINS];

	if (!addr) {
		known_infos(info);
		return 0;
	}
	if (window_read(w, addr, buf, sizeof buf)) return -1;
	for (unsigned i = 0; i < JEMALLOC_BINS; i++) {
		const char *r = buf + i * INFO;
		info[i] = (struct jemalloc_bin_info){ window_word(r, 0), window_word(r, 8), window_half(r, 16), window_half(r, 20) };
		if (info[i].size != jemalloc_size(i) || !info[i].slab_size || info[i].slab_size % JEMALLOC_PAGE || info[i].slab_size > 1 << 20) return -1;
		if (info[i].nregs != info[i].slab_size / info[i].size || info[i].nregs > 512) return -1;
		if (!info[i].n_shards || info[i].n_shards > JEMALLOC_SHARDS) return -1;
	}
	return 0;
}

struct find {
	const struct target *t;
	const struct target_region *region;
	struct window *w;
	struct jemalloc_bin_info info[JEMALLOC_BINS];
	uint64_t infos;                 /* address of the table */
	const struct jemalloc_layout *layout;
	unsigned tries;
	uint64_t bins;                  /* from an arena to its first bin; 0: not known yet */
	struct hit { uint64_t word, arena; } *hit; size_t nhits;
	uint64_t edata, page;           /* a slab's record and its address, for: */
	uint64_t root;
};

static int see_infos(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	for (size_t i = 0; i + INFO * JEMALLOC_BINS <= n; i += 8) {
		if (window_word(p, i) != 8 || window_word(p, i + INFO) != 16 || window_word(p, i + 2 * INFO) != 32) continue;
		if (jemalloc_infos(f->w, addr + i, f->info)) continue;
		f->infos = addr + i;
		return 1;
	}
	return 0;
}

/* Is it the record of a slab of this class? */
static int is_slab(const struct find *f, const struct jemalloc_layout *l, uint64_t edata, unsigned szind, uint64_t *page)
{
	char r[24];

	if (edata % 64 || window_read(f->w, edata, r, sizeof r)) return 0;
	*page = window_word(r, 8);
	return (window_word(r, 0) >> l->szind & 255) == szind && window_word(r, 0) & 4096 && *page && *page % JEMALLOC_PAGE == 0 &&
	       (window_word(r, 16) & ~(uint64_t)(JEMALLOC_PAGE - 1)) == f->info[szind].slab_size;
}

/* Do the bins begin here? p has n bytes. Remembers one slab. Some may be changing while they are read, as those are that threads wait for: counters
   that do not add up yet, a slab that is gone by now. */
static int are_bins(struct find *f, const struct jemalloc_layout *l, const char *p, size_t n)
{
	unsigned confirmed = 0, torn = 0;
	size_t at = 0;

	for (unsigned i = 0; i < JEMALLOC_BINS; i++)
		for (unsigned s = 0; s < f->info[i].n_shards; s++, at += l->stride) {
			uint64_t slabcur, page;
			if (at + l->stride > n) return 0;
			if (!jemalloc_is_stats(p + at + l->stats) && ++torn > CHANGING_MAX) return 0;
			if (!(slabcur = window_word(p, at + l->slabcur))) continue;
			if (is_slab(f, l, slabcur, i, &page)) {
				f->edata = slabcur;
				f->page = page;
				confirmed++;
			} else if (++torn > CHANGING_MAX) return 0;
		}
	return confirmed >= CONFIRMED + torn;
}

static int near(const struct find *f, uint64_t arena, uint64_t at)
{
	uint64_t block = arena & ~(uint64_t)(JEMALLOC_BLOCK - 1), word[BASE_NEAR / 8];

	if (at < arena || window_read(f->w, at, word, sizeof word)) return 0;
	for (size_t i = 0; i < BASE_NEAR / 8; i++)
		if (word[i] > block && word[i] < arena && word[i] - block < BASE_IN_BLOCK) return 1;
	return 0;
}

/* An arena ends with a pointer to its base, which is at the beginning of the arena's block, and a few words; bins are behind that, or, before
   5.2, before it. */
static int has_base(const struct find *f, const struct jemalloc_layout *l, uint64_t arena, uint64_t bins)
{
	return near(f, arena, arena + bins - BASE_NEAR) || (!l->has_infos && near(f, arena, arena + bins + (uint64_t)l->stride * JEMALLOC_BINS));
}

static int find_bins(struct find *f, uint64_t arena)
{
	size_t room = (size_t)JEMALLOC_BINS * 512, n, shards = 0;
	char *buf = xmalloc(ARENA_MAX + room);

	n = mem_read_some(f->t->mem, arena, buf, ARENA_MAX + room);
	for (unsigned i = 0; i < JEMALLOC_BINS; i++) shards += f->info[i].n_shards;
	for (unsigned k = 0; k < JEMALLOC_LAYOUTS && !f->bins; k++) {
		const struct jemalloc_layout *l = &jemalloc_layouts[k];
		if (l->has_infos != (f->infos != 0)) continue;
		size_t all = l->stride * shards;
		for (size_t i = 0, set = 0; i < ARENA_MAX && i + all <= n; i += 8) {
			/* zeros could be bins, too, and are the most of what is there: on to where the last of them is none */
			if (set < i) set = i;
			while (set + 8 <= n && !window_word(buf, set)) set += 8;
			if (set >= i + all) i = set - all + 8;
			if (i + all > n || i >= ARENA_MAX) break;
			if (!are_bins(f, l, buf + i, n - i) || !has_base(f, l, arena, i)) continue;
			f->layout = l;
			f->bins = i;
			break;
		}
	}
	free(buf);
	return f->bins != 0;
}

/* Stands an arena at addr, as far as can be seen without knowing where its bins are? */
static int may_be_arena(const struct find *f, uint64_t addr)
{
	uint64_t block = addr & ~(uint64_t)(JEMALLOC_BLOCK - 1), head[2], threads;

	if (!addr || addr % 64 || addr == block || !target_is_anonymous(f->t, addr)) return 0;
	if (window_read(f->w, block, head, sizeof head) || !head[0] || head[0] % JEMALLOC_BLOCK || head[0] > (uint64_t)1 << 40 || head[1] % JEMALLOC_BLOCK) return 0;
	threads = window_u64(f->w, addr);
	return (uint32_t)threads < 1 << 20 && threads >> 32 < 1 << 20;
}

/* Bins of an arena that has not been used yet are all zeros; of one in use, counters. One may be torn. */
static int is_arena(struct find *f, uint64_t arena)
{
	struct jemalloc_bin bin[JEMALLOC_BINS];

	return has_base(f, f->layout, arena, f->bins) && jemalloc_bins(f->w, f->layout, f->info, arena + f->bins, bin, NULL, NULL) <= TORN_MAX;
}

static int see_first_arena(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	(void)addr;
	for (size_t i = 0; i + 8 <= n; i += 8)
		if (may_be_arena(f, window_word(p, i)) && (find_bins(f, window_word(p, i)) || ++f->tries == TRIES_MAX)) return 1;
	return 0;
}

static int see_arenas(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;

	for (size_t i = 0; i + 8 <= n && f->nhits < HITS; i += 8) {
		uint64_t arena = window_word(p, i);
		if (may_be_arena(f, arena) && is_arena(f, arena)) f->hit[f->nhits++] = (struct hit){ addr + i, arena };
	}
	return 0;
}

/* The leaf's word for the slab must name the slab. */
static int see_root(void *arg, uint64_t addr, const char *p, size_t n)
{
	struct find *f = arg;
	uint64_t in_root = f->page >> JEMALLOC_LEAF_SHIFT << 3, in_leaf = (f->page / JEMALLOC_PAGE & JEMALLOC_LEAF_MASK) << 3;

	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t leaf = window_word(p, i);
		if (!leaf || leaf % 64 || addr + i < f->region->start + in_root || !target_is_anonymous(f->t, leaf + in_leaf)) continue;
		if ((window_u64(f->w, leaf + in_leaf) & f->layout->leaf_pointer) != f->edata) continue;
		f->root = addr + i - in_root;
		return 1;
	}
	return 0;
}

static int is_hit(const struct find *f, uint64_t arena)
{
	for (size_t i = 0; i < f->nhits; i++)
		if (f->hit[i].arena == arena) return 1;
	return 0;
}

/* The array has pointers to arenas and else zeros, which no other place that points to arenas is followed by; and most arenas. */
static uint64_t array_start(const struct find *f)
{
	uint64_t best = 0, *word = xcalloc(JEMALLOC_ARENAS, sizeof *word);
	size_t most = 0;

	for (size_t i = 0; i < f->nhits; i++) {
		size_t n = mem_read_some(f->t->mem, f->hit[i].word, word, JEMALLOC_ARENAS * sizeof *word) / sizeof *word, arenas = 0, k;
		for (k = 0; k < n && (!word[k] || is_hit(f, word[k])); k++) arenas += word[k] != 0;
		if (arenas * 2 + (k == n) <= most) continue;
		most = arenas * 2 + (k == n);
		best = f->hit[i].word;
	}
	free(word);
	return best;
}

static int find_in(struct find *f, struct allocator_found *out)
{
	const char *base = strrchr(f->region->path, '/');

	/* before 5.2 the table is a constant, elsewhere: it is known then */
	if (!window_scan(f->t, f->region, 0, INFO * JEMALLOC_BINS, see_infos, f)) jemalloc_infos(f->w, 0, f->info);
	if (!window_scan(f->t, f->region, 0, 8, see_first_arena, f) || !f->bins) return 0;
	window_scan(f->t, f->region, 0, 8, see_arenas, f);
	if (!f->nhits) return 0;
	window_scan(f->t, f->region, 0, 8, see_root, f);
	*out = (struct allocator_found){ .state = array_start(f), .layout = (unsigned)(f->layout - jemalloc_layouts) };
	out->extra[JEMALLOC_EXTRA_BINS] = f->bins;
	out->extra[JEMALLOC_EXTRA_INFOS] = f->infos;
	out->extra[JEMALLOC_EXTRA_ROOT] = f->root;
	snprintf(out->version, sizeof out->version, "%s", f->layout->version);
	snprintf(out->owner, sizeof out->owner, "%s", base ? base + 1 : f->region->path);
	snprintf(out->evidence, sizeof out->evidence, "a table of its size classes, arenas whose bins' counters add up%s",
	         f->root ? ", and a tree of extents that points back to their slabs" : "; its tree of extents was not found");
	return 1;
}

size_t jemalloc_find(const struct target *t, struct allocator_found *out, size_t max)
{
	struct target_region *region;
	size_t nregions = target_data_regions(t, &region), n = 0;
	struct find f = { .t = t, .w = window_open(t) };

	f.hit = xcalloc(HITS, sizeof *f.hit);
	for (size_t i = 0; i < nregions && n < max; i++) {
		f.region = &region[i];
		f.nhits = f.tries = 0;
		f.bins = f.infos = f.root = 0;
		n += (size_t)find_in(&f, &out[n]);
	}
	free(f.hit);
	window_close(f.w);
	free(region);
	return n;
}
