/* account.c: see account.h. Order decides where two could claim a byte: allocators, stacks, loaded objects, then what kind of mapping
 * it is. */
#include "inspect/allocator/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/model/ledger.h"
#include "inspect/target/xalloc.h"

static void range(struct allocator_sink *s, uint64_t start, uint64_t bytes, enum allocator_range what)
{
	struct account *a = (struct account *)s;

	residence_owner(a->residence, a->owner);
	residence_take(a->residence, start, bytes, &a->sum[what]);
}

enum { OWNER_ALLOCATORS = 6, OWNER_STACKS = 6, OWNER_FILES = 7 };

void account_init(struct account *a, struct residence *r, unsigned owner)
{
	*a = (struct account){ .sink = { range }, .residence = r, .owner = owner < OWNER_ALLOCATORS ? owner : OWNER_ALLOCATORS - 1 };
}

/* All that was told of one kind, there or not. */
static uint64_t told(const struct residence_sum *s)
{
	return s->resident + s->swapped + s->absent;
}

/* Moves from what is known in sums only as much as counters say beyond what ranges told. */
static void derive(struct residence_sum *managed, struct residence_sum *to, uint64_t counter, int *derived)
{
	if (counter == HEAP_UNKNOWN || counter <= told(to)) return;
	uint64_t more = counter - told(to);
	if (more > managed->resident) more = managed->resident;
	managed->resident -= more;
	to->resident += more;
	*derived |= more > 0;
}

struct writer { struct ledger *ledger; const char *name, *note; };

static void row(struct writer *w, const char *what, uint64_t bytes, uint64_t swapped, int derived, const char *note)
{
	char name[sizeof ((struct ledger_row *)0)->name];

	snprintf(name, sizeof name, "%.26s: %.26s", w->name, what);
	ledger_add(w->ledger, name, bytes, swapped, derived, *w->note ? w->note : note);
}

/* The rows of one allocator. */
static void allocator_rows(struct ledger *l, const struct heap_allocator *a, const char *name, const struct account *account)
{
	static const char by_counters[] = "estimate: by its counters";
	struct residence_sum s[ALLOCATOR_MANAGED + 1];
	struct writer w = { l, name, a->status == HEAP_TORN ? "torn: it changed while it was read" : "" };
	int derived = 0, known = a->live_bytes != HEAP_UNKNOWN;
	uint64_t rounding = 0, resident = 0;

	memcpy(s, account->sum, sizeof s);
	struct residence_sum *m = &s[ALLOCATOR_MANAGED], *live = &s[ALLOCATOR_LIVE];
	if (told(m) && known) {
		derive(m, live, a->live_bytes, &derived);
		derive(m, &s[ALLOCATOR_CACHED], a->cached_bytes, &derived);
		derive(m, &s[ALLOCATOR_METADATA], a->metadata_bytes, &derived);
	}
	for (unsigned i = 0; i <= ALLOCATOR_MANAGED; i++) resident += s[i].resident;
	if (a->requested_bytes != HEAP_UNKNOWN && known && a->live_bytes > a->requested_bytes) rounding = a->live_bytes - a->requested_bytes;
	if (rounding > live->resident) rounding = live->resident;
	l->internal += rounding;
	row(&w, rounding ? "live, requested" : "live", live->resident - rounding, live->swapped, derived, derived ? by_counters : "");
	row(&w, "live, rounding", rounding, 0, 1, "");
	row(&w, "cached by threads", s[ALLOCATOR_CACHED].resident, s[ALLOCATOR_CACHED].swapped, derived, derived ? by_counters : "");
	row(&w, "free, trimmable", s[ALLOCATOR_TRIMMABLE].resident, s[ALLOCATOR_TRIMMABLE].swapped, 0, "");
	row(&w, "free, between live blocks", s[ALLOCATOR_FREE].resident, s[ALLOCATOR_FREE].swapped, 0, "");
	if (known) row(&w, "free, by its counters", m->resident, m->swapped, 1, "estimate: what its counters leave");
	else row(&w, "live or free", m->resident, m->swapped, 0, "not told apart: see --full");
	row(&w, "metadata", s[ALLOCATOR_METADATA].resident, s[ALLOCATOR_METADATA].swapped, derived, "");
	l->external_free += s[ALLOCATOR_TRIMMABLE].resident + s[ALLOCATOR_FREE].resident + (known ? m->resident : 0);
	l->external_resident += resident;
	l->retained += s[ALLOCATOR_TRIMMABLE].absent + s[ALLOCATOR_FREE].absent + (known ? m->absent : 0);
}

enum kind { FILES, OTHER_FILES, CODE, SHARED, STACKS, ANONYMOUS, KINDS };
static const char *const kind_name[KINDS] = {
	"program and library files", "other mapped files", "generated code", "shared memory", "thread stacks", "anonymous, of no allocator",
};

struct closing {
	const struct target *t;
	struct residence *r;
	struct heap *h;
	const struct account *account;
	struct residence_sum sum[KINDS], rest;
	struct target_stack *stack; size_t nstacks;
	struct target_region *region; size_t nregions;
};

/* Code and data of a program or library: a file that is mapped to be executed here or nearby. */
static int is_object(const struct target *t, const struct map *m)
{
	for (const struct map *p = m; p >= t->maps.map && m - p < 8; p--)
		if (p->exec && maps_same_file(p, m)) return 1;
	for (const struct map *p = m; p < t->maps.map + t->maps.n && p - m < 8; p++)
		if (p->exec && maps_same_file(p, m)) return 1;
	return 0;
}

static enum kind kind_of(const struct target *t, const struct map *m)
{
	if (!strcmp(m->path, "[vdso]")) return FILES;
	if (!strcmp(m->path, "[stack]")) return STACKS;
	if (m->shared && (!m->inode || m->deleted || !strncmp(m->path, "/dev/shm/", 9) || !strncmp(m->path, "/memfd:", 7) ||
	                  !strncmp(m->path, "/SYSV", 5) || !strcmp(m->path, "/dev/zero")))
		return SHARED;
	if (m->inode) return is_object(t, m) ? FILES : OTHER_FILES;
	return m->exec ? CODE : ANONYMOUS;
}

static const char *owner_name(const struct closing *c, unsigned owner)
{
	if (owner == OWNER_STACKS) return kind_name[STACKS];
	if (owner == OWNER_FILES) return kind_name[FILES];
	for (size_t i = 0; i < c->h->nallocators; i++)
		if (c->account[i].owner == owner) return c->h->allocator[i].name;
	return "";
}

/* The mapping in the list: who has most of it. */
static void list_map(struct closing *c, const struct map *m, enum kind k)
{
	struct heap *h = c->h;
	struct residence_sum sum = { 0 };
	uint64_t by[RESIDENCE_OWNERS + 1] = { 0 };
	unsigned most = RESIDENCE_OWNERS;

	residence_owners(c->r, m->start, m->end, by, &sum);
	if (!sum.resident && !sum.swapped) return;
	if (!(h->nmaps & (h->nmaps - 1))) h->map = xreallocarray(h->map, h->nmaps ? h->nmaps * 2 : 1, sizeof *h->map);
	struct heap_map *out = &h->map[h->nmaps++];
	*out = (struct heap_map){ .start = m->start, .end = m->end, .resident = sum.resident, .swapped = sum.swapped };
	for (unsigned i = 0; i < RESIDENCE_OWNERS; i++)
		if (by[i] > by[most]) most = i;
	snprintf(out->what, sizeof out->what, "%s", most < RESIDENCE_OWNERS ? owner_name(c, most) : kind_name[k]);
	/* the end of a long path says more than its beginning */
	size_t n = strlen(m->path), cut = n < sizeof out->path ? 0 : n - sizeof out->path + 1;
	snprintf(out->path, sizeof out->path, "%s", m->path + cut);
}

/* One mapping, all of it told now: what had been told before tells what it is for. */
static void close_map(struct closing *c, const struct map *m)
{
	enum kind k = kind_of(c->t, m);
	struct residence_sum whole = { 0 }, rest = { 0 };

	list_map(c, m, k);
	residence_take_rest(c->r, m->start, m->end - m->start, &whole, &rest);
	c->sum[k].resident += whole.resident;
	c->sum[k].swapped += whole.swapped;
	/* of a page that is partly an allocator's, nobody knows whose the rest is; of one that is partly a file's, it is the file's */
	struct residence_sum *to = k == ANONYMOUS ? &c->rest : &c->sum[k];
	to->resident += rest.resident;
	to->swapped += rest.swapped;
}

static void close_stacks(struct closing *c)
{
	struct heap *h = c->h;

	h->thread = xcalloc(c->t->nthreads + 1, sizeof *h->thread);
	h->nthreads = c->t->nthreads;
	for (size_t i = 0; i < h->nthreads; i++) {
		h->thread[i].tid = c->t->thread[i].tid;
		snprintf(h->thread[i].name, sizeof h->thread[i].name, "%.15s", c->t->thread[i].name);
		h->thread[i].cached = h->thread[i].cached_objects = h->thread[i].stack = HEAP_UNKNOWN;
	}
	residence_owner(c->r, OWNER_STACKS);
	for (size_t i = 0, k = 0; i < c->nstacks; i++) {
		struct residence_sum s = { 0 };
		residence_take(c->r, c->stack[i].start, c->stack[i].end - c->stack[i].start, &s);
		c->sum[STACKS].resident += s.resident;
		c->sum[STACKS].swapped += s.swapped;
		for (k = 0; k < h->nthreads && h->thread[k].tid != c->stack[i].tid; k++) ;
		if (k < h->nthreads) h->thread[k].stack = s.resident;
	}
}

static void thread_caches(struct heap *h)
{
	if (!h->nallocators) return;
	const struct heap_allocator *a = &h->allocator[0];
	for (size_t i = 0, k = 0; i < h->nthreads && a->nthreads; i++) {
		/* both are in the kernel's order more often than not */
		for (size_t n = 0; n < a->nthreads && a->thread[k].tid != h->thread[i].tid; n++) k = (k + 1) % a->nthreads;
		if (a->thread[k].tid != h->thread[i].tid) continue;
		h->thread[i].cached = a->thread[k].cached;
		h->thread[i].cached_objects = a->thread[k].cached_objects;
		snprintf(h->thread[i].arena, sizeof h->thread[i].arena, "%s", a->thread[k].arena);
	}
}

/* Every byte that is resident is in a mapping, so this closes the ledger. */
static void close_maps(struct closing *c)
{
	const struct maps *maps = &c->t->maps;

	residence_owner(c->r, OWNER_FILES);
	for (size_t i = 0; i < c->nregions; i++)
		residence_take(c->r, c->region[i].start, c->region[i].end - c->region[i].start, &c->sum[FILES]);
	for (size_t i = 0; i < maps->n; i++) close_map(c, &maps->map[i]);
}

/* Several of one kind are told apart by the object they live in. */
static void name_of(const struct heap *h, size_t i, char *out, size_t n)
{
	int twice = 0;

	for (size_t k = 0; k < h->nallocators; k++) twice += !strcmp(h->allocator[k].name, h->allocator[i].name);
	if (twice > 1) snprintf(out, n, "%.12s (%.11s)", h->allocator[i].name, h->allocator[i].owner);
	else snprintf(out, n, "%.26s", h->allocator[i].name);
}

void account_close(const struct target *t, struct heap *h, const struct account *account, struct residence *r)
{
	struct closing c = { .t = t, .r = r, .h = h, .account = account };
	struct ledger *l = &h->ledger;
	char name[28], note[80];

	l->rss = residence_total(r);
	c.nstacks = target_stacks(t, &c.stack);
	c.nregions = target_data_regions(t, &c.region);
	close_stacks(&c);
	close_maps(&c);
	thread_caches(h);
	for (size_t i = 0; i < h->nallocators; i++) {
		name_of(h, i, name, sizeof name);
		allocator_rows(l, &h->allocator[i], name, &account[i]);
	}
	for (unsigned k = 0; k < KINDS; k++) {
		snprintf(note, sizeof note, "%s", "");
		if (k == STACKS) snprintf(note, sizeof note, "%zu stack%s: of %zu thread%s", c.nstacks, c.nstacks == 1 ? "" : "s", t->nthreads, t->nthreads == 1 ? "" : "s");
		ledger_add(l, kind_name[k], c.sum[k].resident, c.sum[k].swapped, 0, note);
	}
	ledger_close(l);
	free(c.stack);
	free(c.region);
}
