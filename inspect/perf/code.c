/* code.c: see code.h. A family's names are believed only in a module that has its marker: mi_ begins MyISAM's functions as well. */
#include "inspect/perf/code.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/allocator/allocator.h"
#include "inspect/allocator/musl.h"
#include "inspect/model/plain.h"
#include "inspect/perf/starts.h"
#include "inspect/symbol/symbol.h"
#include "inspect/target/target.h"
#include "inspect/target/xalloc.h"

enum { FOUND_MAX = 32, FUNCTION_MAX = 16 << 10, GLIBC_STATE = 2200, OLDMALLOC_STATE = 1552 };

struct range { uint64_t start, end; };
struct named { uint64_t start, end; const char *name; };

struct code {
	struct range *range; size_t n;
	char evidence[400];
};

/* While one module is looked at. */
struct looking {
	struct code *c;
	const struct target *t;
	struct named *named; size_t n;
	struct symbol_module module;    /* whose functions these are; path NULL: none yet */
	const struct allocator_found *found; size_t nfound;
};

/* ---- names ---- */

/* `name` and `marker` are whole names, but for what a compiler or a version appends; `prefix` and `marked` begin one. */
struct family { const char *const *marker, *const *marked, *const *name, *const *prefix; };

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct family families[] = {
	/* what a program calls, in any module */
	{
		.name = WORDS("malloc", "free", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign", "valloc",
		              "pvalloc", "cfree", "malloc_usable_size",
		              "malloc_trim", "free_sized", "free_aligned_sized", "__libc_malloc", "__libc_free", "__libc_calloc",
		              "__libc_realloc", "__libc_memalign", "__libc_valloc",
		              "__libc_pvalloc", "__posix_memalign", "__rust_alloc", "__rust_dealloc", "__rust_realloc",
		              "__rust_alloc_zeroed"),
		.prefix = WORDS("_Znw", "_Zna", "_ZdlPv", "_ZdaPv", "__rdl_", "__rg_"),
	},
	/* glibc */
	{
		.marker = WORDS("_int_malloc"),
		.name = WORDS("sysmalloc", "systrim", "unlink_chunk", "munmap_chunk", "mremap_chunk", "malloc_consolidate", "malloc_printerr",
		              "malloc_hook_ini", "realloc_hook_ini",
		              "memalign_hook_ini", "new_heap", "alloc_new_heap", "grow_heap", "shrink_heap", "heap_trim", "detach_arena",
		              "reused_arena", "alloc_perturb", "free_perturb",
		              "sysmalloc_mmap", "sysmalloc_mmap_fallback", "_mid_memalign", "get_free_list", "free_check"),
		.prefix = WORDS("_int_", "tcache_", "ptmalloc_", "arena_get", "__malloc_", "__GI___libc_malloc", "__GI___libc_free"),
	},
	/* musl */
	{
		.marker = WORDS("__libc_malloc_impl"),
		.name = WORDS("alloc_slot", "alloc_group", "nontrivial_free", "free_group", "try_avail", "enframe", "get_meta",
		              "default_malloc", "step_seq", "record_seq", "account_bounce",
		              "okay_to_free", "size_overflows"),
		.prefix = WORDS("__malloc_", "__libc_malloc", "__libc_free", "__libc_realloc"),
	},
	{
		.marker = WORDS("__bin_chunk", "bin_chunk"),
		.name = WORDS("__bin_chunk", "bin_chunk", "alloc_fwd", "alloc_rev", "unbin", "trim", "pretrim", "expand_heap",
		              "__expand_heap", "__malloc0", "__simple_malloc", "simple_malloc"),
		.prefix = WORDS("__malloc_"),
	},
	{ .marked = WORDS("je_tcache_", "je_arena_", "_rjem_je_"), .prefix = WORDS("je_", "_rjem_") },
	{ .marker = WORDS("mi_malloc"), .prefix = WORDS("mi_", "_mi_") },
	{ .marked = WORDS("_ZN8tcmalloc"), .marker = WORDS("tc_malloc"), .prefix = WORDS("tc_", "_ZN8tcmalloc", "_ZNK8tcmalloc") },
};

static size_t bare(const char *name) { return strcspn(name, "@."); }

static int among(const char *const *words, const char *name, int whole)
{
	size_t n = whole ? bare(name) : 0;

	for (; words && *words; words++)
		if (whole ? strlen(*words) == n && !memcmp(name, *words, n) : !strncmp(name, *words, strlen(*words))) return 1;
	return 0;
}

static int is_there(const struct family *f, const struct looking *l)
{
	if (!f->marker && !f->marked) return 1;
	for (size_t i = 0; i < l->n; i++)
		if (among(f->marker, l->named[i].name, 1) || among(f->marked, l->named[i].name, 0)) return 1;
	return 0;
}

/* ---- ranges ---- */

static void add(struct code *c, uint64_t start, uint64_t end)
{
	if (start >= end) return;
	if (!(c->n & (c->n - 1))) c->range = xreallocarray(c->range, c->n ? 2 * c->n : 1, sizeof *c->range);
	c->range[c->n++] = (struct range){ start, end };
}

static int by_start(const void *x, const void *y)
{
	const struct range *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

/* Ascending and apart. */
static void merge(struct code *c)
{
	size_t n = 0;

	if (c->n) qsort(c->range, c->n, sizeof *c->range, by_start);
	for (size_t i = 0; i < c->n; i++) {
		if (!n || c->range[i].start > c->range[n - 1].end) c->range[n++] = c->range[i];
		else if (c->range[i].end > c->range[n - 1].end) c->range[n - 1].end = c->range[i].end;
	}
	c->n = n;
}

static void evidence(struct looking *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void evidence(struct looking *l, const char *fmt, ...)
{
	const char *slash = strrchr(l->module.path, '/');
	size_t len = strlen(l->c->evidence), room = sizeof l->c->evidence - len;
	char how[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(how, sizeof how, fmt, ap);
	va_end(ap);
	snprintf(l->c->evidence + len, room, "%s%s (%s)", len ? ", " : "", slash ? slash + 1 : l->module.path, how);
	plain_text(l->c->evidence);
}

/* ---- one module ---- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int begins(const char *s, const char *with) { return !strncmp(s, with, strlen(with)); }

static size_t by_name(struct looking *l)
{
	size_t n = 0;

	for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
		const struct family *f = &families[k];
		if (!is_there(f, l)) continue;
		for (size_t i = 0; i < l->n; i++) {
			const struct named *x = &l->named[i];
			if (!among(f->name, x->name, 1) && !among(f->prefix, x->name, 0)) continue;
			add(l->c, x->start, x->end);
			n++;
		}
	}
	return n;
}

static size_t state_size(const char *kind)
{
	if (!strcmp(kind, "glibc")) return GLIBC_STATE;
	if (!strcmp(kind, "musl mallocng")) return sizeof(struct musl_context);
	if (!strcmp(kind, "musl oldmalloc")) return OLDMALLOC_STATE;
	return 0;
}

struct using { struct looking *l; struct starts starts; size_t n; uint64_t until; };

/* Code that uses the state, and that no symbol names: the function it lies in, as far as its begin and end can be told. */
static void on_user(void *arg, uint64_t at)
{
	struct using *u = arg;
	uint64_t start = starts_before(&u->starts, at), end = starts_next(&u->starts, at);

	if (at < u->until || !start) return;
	for (size_t i = 0; i < u->l->n; i++) {
		const struct named *x = &u->l->named[i];
		if (x->start <= at && at < x->end) return;
		if (x->end <= at && x->end > start) start = x->end;
		if (x->start > at && x->start < end) end = x->start;
	}
	if (at - start > FUNCTION_MAX) return;
	if (end - start > FUNCTION_MAX) end = start + FUNCTION_MAX;
	add(u->l->c, start, end);
	u->n++;
	u->until = end;
}

/* free, which is but a jump to __libc_free. */
static void on_alias(void *arg, uint64_t at, uint64_t end, uint64_t to)
{
	struct using *u = arg;

	for (size_t i = 0; i < u->l->c->n; i++) {
		const struct range *r = &u->l->c->range[i];
		if (to < r->start || to >= r->end) continue;
		add(u->l->c, at, end);
		return;
	}
}

static size_t by_state(struct looking *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->nfound; i++) {
		const struct allocator_found *f = &l->found[i];
		size_t size = state_size(f->kind->name);
		if (!size || strncmp(f->owner, base_name(l->module.path), sizeof f->owner - 1)) continue;
		for (size_t k = 0; k < l->t->maps.n; k++) {
			const struct map *m = &l->t->maps.map[k];
			if (!m->exec || m->start < l->module.start || m->end > l->module.end) continue;
			struct using u = { .l = l };
			starts_read(&u.starts, l->t, m);
			starts_users(l->t, m, f->state, f->state + size, on_user, &u);
			starts_free(&u.starts);
			if (u.n) starts_aliases(l->t, m, on_alias, &u);
			n += u.n;
		}
	}
	return n;
}

static void finish(struct looking *l)
{
	static const char *const whole[] = { "libjemalloc", "libtcmalloc", "libmimalloc" };
	size_t named, used;

	if (!l->module.path || begins(base_name(l->module.path), "liballoctop")) return;
	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
		if (!begins(base_name(l->module.path), whole[i])) continue;
		add(l->c, l->module.start, l->module.end);
		evidence(l, "all of it");
		return;
	}
	named = by_name(l);
	used = by_state(l);
	if (named && used) evidence(l, "%zu functions by name, %zu by what they use", named, used);
	else if (named) evidence(l, "%zu functions by name", named);
	else if (used) evidence(l, "%zu functions by what they use", used);
}

static int on_module(void *arg, const struct symbol_module *m)
{
	struct looking *l = arg;

	finish(l);
	l->module = *m;
	l->n = 0;
	return 1;
}

static void on_function(void *arg, const char *name, uint64_t start, uint64_t end)
{
	struct looking *l = arg;

	if (!(l->n & (l->n - 1))) l->named = xreallocarray(l->named, l->n ? 2 * l->n : 1, sizeof *l->named);
	l->named[l->n++] = (struct named){ start, end, name };
}

struct code *code_open(const struct target *t, struct symbolizer *s)
{
	struct allocator_found found[FOUND_MAX];
	struct looking l = { .c = xcalloc(1, sizeof *l.c), .t = t, .found = found, .nfound = allocator_probe_all(t, found, FOUND_MAX) };
	struct symbol_walk walk = { on_module, on_function, &l };

	symbol_each(s, &walk);
	finish(&l);
	free(l.named);
	merge(l.c);
	return l.c;
}

void code_close(struct code *c)
{
	if (!c) return;
	free(c->range);
	free(c);
}

int code_holds(const struct code *c, uint64_t addr)
{
	size_t lo = 0, hi = c->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->range[mid].end <= addr) lo = mid + 1;
		else hi = mid;
	}
	return lo < c->n && c->range[lo].start <= addr;
}

int code_among(const struct code *c, const uint8_t *bytes, size_t n)
{
	uint64_t low = c->n ? c->range[0].start : 0, high = c->n ? c->range[c->n - 1].end : 0, v;

	for (size_t i = 0; i + sizeof v <= n; i += sizeof v) {
		memcpy(&v, bytes + i, sizeof v);
		if (v - low <= high - low && code_holds(c, v - 1)) return 1;
	}
	return 0;
}

const char *code_evidence(const struct code *c) { return c->evidence; }
