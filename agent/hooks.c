/* hooks.c: the interposed entry points: decide, forward, record. The fast path of each is a comparison and a subtraction in memory of
 * its own thread, and a jump; the rest is cold. They touch neither errno nor the program's locks, and make no system call of their
 * own once the thread is enrolled. */
#include "cc.h"
#include "exact.h"
#include "life.h"
#include "live.h"
#include "real.h"
#include "sample.h"
#include "settings.h"
#include "slow.h"
#include "sys.h"
#include "thread.h"

void *malloc(size_t);
void free(void *);
void *realloc(void *, size_t);
void *memalign(size_t, size_t);
void *calloc(size_t, size_t);

/* ---- fallbacks, through our own hooks -------------------------------------------------------------------------------------- */

static UNUSED size_t bytes_of(size_t a, size_t b)
{
	size_t n;
	return __builtin_mul_overflow(a, b, &n) ? SIZE_MAX : n;
}

static UNUSED void *aligned(size_t al, size_t n) { return memalign(al < sizeof(void *) ? sizeof(void *) : al, n); }
static UNUSED size_t whole_pages(size_t n) { return (n + SYS_PAGE - 1) & -(size_t)SYS_PAGE; }
static UNUSED void *zeroed(size_t n) { return calloc(1, n); }
static UNUSED void *again(void *p, size_t n) { return realloc(p, n); }

/* What a copy of a text takes. */
static UNUSED size_t text_bytes(const char *s, size_t max)
{
	size_t n = 0;
	while (n < max && s[n]) n++;
	return n + 1;
}

static UNUSED void *zeroed_aligned(size_t al, size_t n)
{
	void *p = aligned(al, n);
	return p ? memset(p, 0, n) : 0;
}

static UNUSED void *flagged(size_t n, int flags)
{
	size_t al = (size_t)1 << (flags & 63);
	return flags & 0x40 ? zeroed_aligned(al, n) : aligned(al, n);
}

static UNUSED void *copy_text(const char *s, size_t max)
{
	size_t n = text_bytes(s, max);
	char *p = malloc(n);
	if (!p) return 0;
	memcpy(p, s, n - 1);
	p[n - 1] = 0;
	return p;
}

/* ---- the table --------------------------------------------------------------------------------------------------------------- */

#define ALLOC(name, params, args, size, fallback) AT_##name,
#define REALLOC(name, params, args, size, fallback) AT_##name,
#define FREES(name, params, args, fallback) AT_##name,
#define POSIX(name) AT_##name,
enum {
#include "entries.h"
	ENTRIES
};
#undef ALLOC
#undef REALLOC
#undef FREES
#undef POSIX

#define ALLOC(name, params, args, size, fallback) [AT_##name] = { #name },
#define REALLOC(name, params, args, size, fallback) [AT_##name] = { #name },
#define FREES(name, params, args, fallback) [AT_##name] = { #name },
#define POSIX(name) [AT_##name] = { #name },
static struct real entry[ENTRIES] = {
#include "entries.h"
};
#undef ALLOC
#undef REALLOC
#undef FREES
#undef POSIX

/* ---- malloc and free: always leaves ------------------------------------------------------------------------------------------ */

static COLD void *slow_malloc(size_t n)
{
	struct slow slow;
	uint64_t rate = sample_due(n);
	slow_begin(&slow, rate != 0);
	void *p = real_malloc(n);
	slow_end(&slow);
	sample_made(p, n, rate, &slow, WIRE_OP_MALLOC);
	return p;
}

EXPORT void *malloc(size_t n)
{
	struct thread *self = &thread_self;
	self->allocs++;
	if (UNLIKELY(self->countdown <= n)) return slow_malloc(n);
	self->countdown -= n;
	return real_malloc(n);
}

static COLD void slow_free(void *p)
{
	struct wire_live b;
	size_t usable = settings.exact ? real_usable_size(p, 0) : 0;
	struct slow slow = { 0 };
	int had = sample_forget(p, &b);
	if (had) sample_freed(&b);
	if (p && settings.exact && life_running()) exact_freed(&thread_self, usable);
	slow_begin(&slow, had);
	if (LIKELY(!slow.on)) return real_free(p);
	real_free(p);
	slow_end(&slow);
	slow_record(&slow, WIRE_OP_FREE, b.site, b.size, sample_objects(&b));
}

EXPORT void free(void *p)
{
	thread_self.frees += p != 0;
	if (UNLIKELY(live_maybe(p))) return slow_free(p);
	real_free(p);
}

/* ---- the others --------------------------------------------------------------------------------------------------------------- */

/* One call of an entry on its slow path. */
struct call {
	struct real *real;
	void *fn;
	int leaf;               /* known to be one: decide before the call */
	uint64_t allocs, frees, rate;
	size_t usable;          /* exact mode: of the block that goes */
	int had;                /* the block that goes was sampled, and is `old` */
	int freed;              /* it was freed through one of our hooks, and counted there */
	struct slow slow;
	struct wire_live old;
};

static NOINLINE void call_begin(struct call *c, struct real *r, void *p, size_t n, int allocates)
{
	struct thread *t = &thread_self;
	c->real = r;
	c->fn = real_find(r);
	c->leaf = r->nature == REAL_LEAF;
	c->freed = 0;
	c->rate = c->leaf && allocates ? sample_due(n) : 0;
	c->allocs = t->allocs;
	c->frees = t->frees;
	c->usable = p && settings.exact ? real_usable_size(p, 0) : 0;
	c->had = p && sample_forget(p, &c->old);
	slow_begin(&c->slow, c->rate || c->had);
}

/* Without a real function the fallback went through our hooks: nested, and no evidence. */
static int call_nested(struct call *c, int allocates)
{
	slow_end(&c->slow);
	struct thread *t = &thread_self;
	int nested = !c->fn || (!c->leaf && (allocates ? t->allocs != c->allocs : t->frees != c->frees));
	if ((allocates || c->leaf) && c->fn && !nested && t->frees != c->frees) {
		/* a realloc that makes the new block itself, but frees the old one by a public name (mimalloc): ours to count, and
		   as it depends on the call, for ever on the slow path. The same with a free that was not nested so far. */
		t->frees = c->frees;
		c->freed = 1;
		real_unsettle(c->real);
	} else if (c->fn && !c->leaf) real_vote(c->real, nested);
	return nested;
}

static void gone(struct call *c, void *p)
{
	if (c->had) sample_freed(&c->old);
	if (p && settings.exact && !c->freed && life_running()) exact_freed(&thread_self, c->usable);
}

static NOINLINE void call_made(struct call *c, void *p, size_t n)
{
	if (call_nested(c, 1)) return;
	if (!c->leaf) {
		thread_self.allocs++;
		c->rate = sample_due(n);
	}
	sample_made(p, n, c->rate, &c->slow, c->real == &entry[AT_calloc] ? WIRE_OP_CALLOC : WIRE_OP_MALLOC);
}

static NOINLINE void call_freed(struct call *c, void *p)
{
	int nested = call_nested(c, 0);
	if (!nested) {
		if (!c->leaf) thread_self.frees += p != 0;
		if (c->had) slow_record(&c->slow, WIRE_OP_FREE, c->old.site, c->old.size, sample_objects(&c->old));
		gone(c, p);
	} else if (c->had) sample_freed(&c->old);
}

/* q NULL and n not 0: it failed, and the old block is still there. */
static NOINLINE void call_resized(struct call *c, void *p, void *q, size_t n)
{
	int failed = !q && n, nested = call_nested(c, 1);
	if (c->had && failed) sample_restore(&c->old);
	if (nested) {
		if (c->had && !failed) sample_freed(&c->old);
		return;
	}
	if (!c->leaf) {
		thread_self.allocs++;
		thread_self.frees += p != 0;
		c->rate = sample_due(n);
	}
	if (!failed && p) gone(c, p);
	if (q || n) sample_made(q, n, c->rate, &c->slow, WIRE_OP_REALLOC);
}

/* The call proper. Marked always: on a slow path it is not known yet what it leads to. */
#define MARKED(assign_call) do { \
		struct unwind_mark mark; \
		unwind_mark_set(&thread_self.stack, &mark); \
		assign_call; \
		unwind_mark_clear(&thread_self.stack, &mark); \
	} while (0)

#define ALLOC(name, params, args, size, fallback) \
	EXPORT void *name params; \
	static NOINLINE void *blind_##name params \
	{ \
		void *r; \
		MARKED(r = ((void *(*) params)entry[AT_##name].fn) args); \
		return r; \
	} \
	static COLD void *slow_##name params \
	{ \
		struct call c; \
		call_begin(&c, &entry[AT_##name], 0, size, 1); \
		void *r; \
		MARKED(r = c.fn ? ((void *(*) params)c.fn) args : fallback); \
		call_made(&c, r, size); \
		return r; \
	} \
	EXPORT void *name params \
	{ \
		struct real *e = &entry[AT_##name]; \
		struct thread *self = &thread_self; \
		if (e->nature == REAL_OUTER) return ((void *(*) params)e->fn) args; \
		if (e->nature == REAL_BLIND) return blind_##name args; \
		if (UNLIKELY(e->nature != REAL_LEAF)) return slow_##name args; \
		self->allocs++; \
		size_t bytes = size; \
		if (UNLIKELY(self->countdown <= bytes)) return slow_##name args; \
		self->countdown -= bytes; \
		return ((void *(*) params)e->fn) args; \
	}

#define REALLOC(name, params, args, size, fallback) \
	EXPORT void *name params; \
	static NOINLINE void *blind_##name params \
	{ \
		void *r; \
		MARKED(r = ((void *(*) params)entry[AT_##name].fn) args); \
		return r; \
	} \
	static COLD void *slow_##name params \
	{ \
		struct call c; \
		size_t bytes = size; \
		call_begin(&c, &entry[AT_##name], p, bytes, 1); \
		void *q; \
		MARKED(q = c.fn ? ((void *(*) params)c.fn) args : fallback); \
		call_resized(&c, p, q, bytes); \
		return q; \
	} \
	EXPORT void *name params \
	{ \
		struct real *e = &entry[AT_##name]; \
		struct thread *self = &thread_self; \
		if (e->nature == REAL_OUTER) return ((void *(*) params)e->fn) args; \
		if (e->nature == REAL_BLIND) return blind_##name args; \
		if (UNLIKELY(e->nature != REAL_LEAF)) return slow_##name args; \
		self->allocs++; \
		self->frees += p != 0; \
		size_t bytes = size; \
		if (UNLIKELY(self->countdown <= bytes || live_maybe(p))) return slow_##name args; \
		self->countdown -= bytes; \
		return ((void *(*) params)e->fn) args; \
	}

#define FREES(name, params, args, fallback) \
	EXPORT void name params; \
	static COLD void slow_##name params \
	{ \
		struct call c; \
		call_begin(&c, &entry[AT_##name], p, 0, 0); \
		if (c.fn) ((void (*) params)c.fn) args; \
		else fallback; \
		call_freed(&c, p); \
	} \
	EXPORT void name params \
	{ \
		struct real *e = &entry[AT_##name]; \
		/* what is nested as a rule may still free this one by itself (tcmalloc's sized delete): a sampled block is never left to it */ \
		int outer = e->nature == REAL_OUTER || e->nature == REAL_BLIND; \
		if (outer && LIKELY(!live_maybe(p))) return ((void (*) params)e->fn) args; \
		if (UNLIKELY(e->nature != REAL_LEAF)) return slow_##name args; \
		thread_self.frees += p != 0; \
		if (UNLIKELY(live_maybe(p))) return slow_##name args; \
		((void (*) params)e->fn) args; \
	}

#define POSIX(name) \
	EXPORT int name(void **out, size_t al, size_t n); \
	EXPORT int name(void **out, size_t al, size_t n) \
	{ \
		struct real *e = &entry[AT_##name]; \
		int (*fn)(void **, size_t, size_t) = (int (*)(void **, size_t, size_t))e->fn; \
		struct thread *self = &thread_self; \
		if (e->nature == REAL_OUTER) return fn(out, al, n); \
		if (LIKELY(e->nature == REAL_LEAF)) { \
			self->allocs++; \
			if (LIKELY(self->countdown > n)) { \
				self->countdown -= n; \
				return fn(out, al, n); \
			} \
		} \
		return slow_posix(e, out, al, n); \
	}

static COLD int slow_posix(struct real *e, void **out, size_t al, size_t n)
{
	struct call c;
	int failed;
	call_begin(&c, e, 0, n, 1);
	MARKED(failed = c.fn ? ((int (*)(void **, size_t, size_t))c.fn)(out, al, n) : (*out = aligned(al, n)) ? 0 : SYS_ENOMEM);
	call_made(&c, failed ? 0 : *out, n);
	return failed;
}

#include "entries.h"

/* jemalloc's resize in place: the block stays where it is, whatever it answers. */
EXPORT size_t xallocx(void *p, size_t n, size_t extra, int flags);
EXPORT size_t xallocx(void *p, size_t n, size_t extra, int flags)
{
	static struct real real = { .name = "xallocx" };
	struct wire_live old;
	size_t (*fn)(void *, size_t, size_t, int) = (size_t (*)(void *, size_t, size_t, int))real_find(&real);
	if (!fn) return real_usable_size(p, n);
	size_t before = settings.exact ? real_usable_size(p, 0) : 0;
	int had = sample_forget(p, &old);
	size_t now = fn(p, n, extra, flags);
	if (now < n) {
		if (had) sample_restore(&old);
		return now;
	}
	thread_self.allocs++;
	thread_self.frees++;
	uint64_t rate = sample_due(n);
	static const struct slow untimed;
	if (had) sample_freed(&old);
	if (settings.exact && life_running()) exact_freed(&thread_self, before);
	sample_made(p, n, rate, &untimed, WIRE_OP_REALLOC);
	return now;
}
