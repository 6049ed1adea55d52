/* hooks.c: the interposed entry points: decide, forward, record. The fast path of each is a comparison and a subtraction in memory of
 * its own thread, and a jump; the rest is cold. They touch neither errno nor the program's locks, and make no system call of their
 * own once the thread is enrolled. */
#include "cc.h"
#include "exact.h"
#include "hook.h"
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
#define THROWS ALLOC
#define RETHROWS REALLOC
#define POSIX(name) AT_##name,
enum {
#include "entries.h"
	ENTRIES
};
#undef ALLOC
#undef REALLOC
#undef FREES
#undef POSIX
#undef THROWS
#undef RETHROWS

#define ALLOC(name, params, args, size, fallback) [AT_##name] = { #name },
#define REALLOC(name, params, args, size, fallback) [AT_##name] = { #name },
#define FREES(name, params, args, fallback) [AT_##name] = { #name },
#define THROWS ALLOC
#define RETHROWS REALLOC
#define POSIX(name) [AT_##name] = { #name },
static struct real entry[ENTRIES] = {
#include "entries.h"
};
#undef ALLOC
#undef REALLOC
#undef FREES
#undef POSIX
#undef THROWS
#undef RETHROWS

/* ---- malloc and free: always leaves ------------------------------------------------------------------------------------------ */

static COLD void *slow_malloc(size_t n)
{
	struct slow slow;
	uint64_t rate = sample_due(n);
	slow_begin(&slow, thread_self(), n, rate != 0);
	void *p = real_malloc(n);
	slow_end(&slow, thread_self());
	sample_made(p, n, rate, &slow, WIRE_OP_MALLOC);
	return p;
}

static ALWAYS_INLINE void *malloc_by(struct thread *self, size_t n)
{
	self->allocs++;
	if (UNLIKELY(self->countdown <= n)) return slow_malloc(n);
	self->countdown -= n;
	return real_malloc(n);
}

static COLD UNUSED void *far_malloc(size_t n) { return malloc_by(thread_self(), n); }

EXPORT void *HOOK(malloc)(size_t);
HOT EXPORT void *HOOK(malloc)(size_t n)
{
	struct thread *self = thread_near();
	return UNLIKELY(!self) ? far_malloc(n) : malloc_by(self, n);
}

static COLD void slow_free(void *p)
{
	struct wire_live b;
	size_t usable = settings.exact ? real_usable_size(p, 0) : 0;
	struct slow slow = { 0 };
	int had = sample_forget(p, &b);
	if (had) slow_begin_free(&slow, thread_self(), b.birth);
	if (!had && !settings.exact) return real_free(p);
	real_free(p);
	if (UNLIKELY(slow.on)) {
		slow_end(&slow, thread_self());
		slow_record(&slow, WIRE_OP_FREE, sample_freeing(&b), b.size, sample_objects(&b));
	}
	if (had) sample_freed(&b);
	if (p && settings.exact && life_running()) exact_freed(thread_self(), usable);
}

static ALWAYS_INLINE void free_by(struct thread *self, void *p)
{
	self->frees += p != 0;
	if (UNLIKELY(live_maybe(p))) return slow_free(p);
	real_free(p);
}

static COLD UNUSED void far_free(void *p) { free_by(thread_self(), p); }

EXPORT void HOOK(free)(void *);
HOT EXPORT void HOOK(free)(void *p)
{
	struct thread *self = thread_near();
	if (UNLIKELY(!self)) return far_free(p);
	free_by(self, p);
}

/* ---- the others --------------------------------------------------------------------------------------------------------------- */

/* The block that a call frees or resizes. */
struct old {
	struct wire_live sample;
	size_t usable;          /* exact mode */
	int had;                /* it was sampled, and is `sample` */
};

static void old_take(struct old *o, void *p)
{
	o->usable = p && settings.exact ? real_usable_size(p, 0) : 0;
	o->had = p && sample_forget(p, &o->sample);
}

static void old_gone(const struct old *o, void *p, int counted)
{
	if (o->had) sample_freed(&o->sample);
	if (p && settings.exact && !counted && life_running()) exact_freed(thread_self(), o->usable);
}

/* A call of a leaf that frees: counted by its fast path. */
struct leaf {
	struct real *real;
	uint64_t rate, frees;   /* the thread's frees so far */
	struct slow slow;
	struct old old;
};

/* Its rate is there already: with the stack that sample_due may take, this would be one frame too many. */
static NOINLINE void leaf_begin(struct leaf *l, struct real *r, void *p, size_t n, int allocates)
{
	l->real = r;
	l->frees = thread_self()->frees;
	old_take(&l->old, p);
	if (allocates) slow_begin(&l->slow, thread_self(), n, l->rate != 0);
	else if (l->old.had) slow_begin_free(&l->slow, thread_self(), l->old.sample.birth);
	else l->slow.on = l->slow.accounts = 0;
}

/* Did it free the old block by a public name, where that was counted (mimalloc's realloc)? As it depends on the call, its nature is
   never settled again. */
static int leaf_end(struct leaf *l)
{
	slow_end(&l->slow, thread_self());
	if (LIKELY(thread_self()->frees == l->frees)) return 0;
	thread_self()->frees = l->frees;
	real_unsettle(l->real);
	return 1;
}

static NOINLINE void leaf_freed(struct leaf *l, void *p)
{
	int counted = leaf_end(l);
	const struct wire_live *b = &l->old.sample;
	if (l->old.had && l->slow.on) slow_record(&l->slow, WIRE_OP_FREE, sample_freeing(b), b->size, sample_objects(b));
	old_gone(&l->old, p, counted);
}

/* q NULL and n not 0: it failed, and the old block is still there. */
static NOINLINE void leaf_resized(struct leaf *l, void *p, void *q, size_t n)
{
	int failed = !q && n, counted = leaf_end(l);
	if (l->old.had && failed) sample_restore(&l->old.sample);
	if (!failed && p) old_gone(&l->old, p, counted);
	if (q || n) sample_made(q, n, l->rate, &l->slow, WIRE_OP_REALLOC);
}

/* A call of an entry whose nature is not known: it is seen afterwards whether it came to another of ours. Kept small: on musl three of
   them may stand upon each other. */
struct watch {
	void *fn;
	uint32_t allocs, frees; /* the thread's calls so far */
};

static const struct slow untimed;

static NOINLINE void watch_begin(struct watch *w, struct real *r)
{
	w->fn = real_find(r);
	w->allocs = (uint32_t)thread_self()->allocs;
	w->frees = (uint32_t)thread_self()->frees;
}

static int watch_allocated(const struct watch *w) { return (uint32_t)thread_self()->allocs != w->allocs; }
static int watch_freed(const struct watch *w) { return (uint32_t)thread_self()->frees != w->frees; }

/* Without a real function the fallback went through our hooks: nested, and no evidence. */
static int watch_nested(const struct watch *w, struct real *r, int nested)
{
	if (w->fn && thread_placed(thread_self())) real_vote(r, nested);
	return !w->fn || nested;
}

static NOINLINE void watch_made(const struct watch *w, struct real *r, void *p, size_t n)
{
	if (watch_nested(w, r, watch_allocated(w))) return;
	thread_self()->allocs++;
	sample_made(p, n, sample_due(n), &untimed, WIRE_OP_MALLOC);
}

static NOINLINE void watch_gone(const struct watch *w, const struct old *o, struct real *r, void *p)
{
	if (watch_nested(w, r, watch_freed(w))) {
		if (o->had) sample_freed(&o->sample);
		return;
	}
	thread_self()->frees += p != 0;
	old_gone(o, p, 0);
}

static NOINLINE void watch_resized(const struct watch *w, const struct old *o, struct real *r, void *p, void *q, size_t n)
{
	int failed = !q && n, counted = w->fn && !watch_allocated(w) && watch_freed(w), nested = 0;
	if (counted) {
		thread_self()->frees -= (uint32_t)thread_self()->frees - w->frees;
		real_unsettle(r);
	} else nested = watch_nested(w, r, watch_allocated(w));
	if (o->had && failed) sample_restore(&o->sample);
	if (nested) {
		if (o->had && !failed) sample_freed(&o->sample);
		return;
	}
	thread_self()->allocs++;
	thread_self()->frees += p != 0;
	uint64_t rate = sample_due(n);
	if (!failed && p) old_gone(o, p, counted);
	if (q || n) sample_made(q, n, rate, &untimed, WIRE_OP_REALLOC);
}

/* The call proper. Marked always: on a slow path it is not known yet what it leads to. */
#define MARKED(assign_call) do { \
		unwind_mark_set(&thread_self()->stack, &mark); \
		assign_call; \
		unwind_mark_clear(&thread_self()->stack, &mark); \
	} while (0)

#define BLIND(name, params, args) \
	static NOINLINE void *blind_##name params \
	{ \
		struct unwind_mark mark = unwind_mark_here(); \
		void *r; \
		MARKED(r = ((void *(*) params)entry[AT_##name].fn) args); \
		return r; \
	}

#define UNLESS_LEAF(name, params, args) \
	struct real *e = &entry[AT_##name]; \
	if (e->nature == REAL_OUTER) return ((void *(*) params)e->fn) args; \
	if (e->nature == REAL_BLIND) return blind_##name args; \
	if (UNLIKELY(e->nature != REAL_LEAF)) return watch_##name args;

#define ALLOC(name, params, args, size, fallback) \
	EXPORT void *HOOK(name) params; \
	BLIND(name, params, args) \
	static COLD void *watch_##name params \
	{ \
		struct unwind_mark mark = unwind_mark_here(); \
		struct watch w; \
		watch_begin(&w, &entry[AT_##name]); \
		void *r; \
		MARKED(r = w.fn ? ((void *(*) params)w.fn) args : fallback); \
		watch_made(&w, &entry[AT_##name], r, size); \
		return r; \
	} \
	static COLD void *slow_##name params \
	{ \
		struct unwind_mark mark = unwind_mark_here(); \
		struct slow slow; \
		uint64_t rate = sample_due(size); \
		slow_begin(&slow, thread_self(), size, rate != 0); \
		void *r; \
		MARKED(r = ((void *(*) params)entry[AT_##name].fn) args); \
		slow_end(&slow, thread_self()); \
		sample_made(r, size, rate, &slow, AT_##name == AT_calloc ? WIRE_OP_CALLOC : WIRE_OP_MALLOC); \
		return r; \
	} \
	HOT EXPORT void *HOOK(name) params \
	{ \
		UNLESS_LEAF(name, params, args) \
		struct thread *self = thread_self(); \
		self->allocs++; \
		size_t bytes = size; \
		if (UNLIKELY(self->countdown <= bytes)) return slow_##name args; \
		self->countdown -= bytes; \
		return ((void *(*) params)e->fn) args; \
	}

/* In a process that our code was put into from outside, no unwinder knows it: a C++ exception that met a frame of ours would end the process.
   So the work is done by the plain function of the same allocator, which has a hook of its own, and what may throw is left to jump to. */
#ifdef AGENT_ATTACHED
#define THROWS(name, params, args, size, fallback) \
	EXPORT void *HOOK(name) params; \
	HOT EXPORT void *HOOK(name) params \
	{ \
		struct real *e = &entry[AT_##name]; \
		if (UNLIKELY(!LOAD(e->fn))) real_find(e); \
		void *r = e->nature == REAL_LEAF ? fallback : 0; \
		return r ? r : ((void *(*) params)LOAD(e->fn)) args; \
	}
#else
#define THROWS ALLOC
#endif

#define REALLOC(name, params, args, size, fallback) \
	EXPORT void *HOOK(name) params; \
	BLIND(name, params, args) \
	static COLD void *watch_##name params \
	{ \
		struct unwind_mark mark = unwind_mark_here(); \
		struct watch w; \
		struct old old; \
		old_take(&old, p); \
		watch_begin(&w, &entry[AT_##name]); \
		void *q; \
		MARKED(q = w.fn ? ((void *(*) params)w.fn) args : fallback); \
		watch_resized(&w, &old, &entry[AT_##name], p, q, size); \
		return q; \
	} \
	static COLD void *slow_##name params \
	{ \
		struct unwind_mark mark = unwind_mark_here(); \
		struct leaf l; \
		l.rate = sample_due(size); \
		leaf_begin(&l, &entry[AT_##name], p, size, 1); \
		void *q; \
		MARKED(q = ((void *(*) params)entry[AT_##name].fn) args); \
		leaf_resized(&l, p, q, size); \
		return q; \
	} \
	HOT EXPORT void *HOOK(name) params \
	{ \
		UNLESS_LEAF(name, params, args) \
		struct thread *self = thread_self(); \
		self->allocs++; \
		self->frees += p != 0; \
		size_t bytes = size; \
		if (UNLIKELY(self->countdown <= bytes || live_maybe(p))) return slow_##name args; \
		self->countdown -= bytes; \
		return ((void *(*) params)e->fn) args; \
	}

#define RETHROWS REALLOC        /* no hook leads there in an attached agent (block_attach.c) */

#define FREES(name, params, args, fallback) \
	EXPORT void HOOK(name) params; \
	static COLD void watch_##name params \
	{ \
		struct watch w; \
		struct old old; \
		old_take(&old, p); \
		watch_begin(&w, &entry[AT_##name]); \
		if (w.fn) ((void (*) params)w.fn) args; \
		else fallback; \
		watch_gone(&w, &old, &entry[AT_##name], p); \
	} \
	static COLD void slow_##name params \
	{ \
		struct leaf l; \
		l.rate = 0; \
		leaf_begin(&l, &entry[AT_##name], p, 0, 0); \
		((void (*) params)entry[AT_##name].fn) args; \
		leaf_freed(&l, p); \
	} \
	HOT EXPORT void HOOK(name) params \
	{ \
		struct real *e = &entry[AT_##name]; \
		/* what is nested as a rule may still free this one by itself (tcmalloc's sized delete): a sampled block is never left to it */ \
		int outer = e->nature == REAL_OUTER || e->nature == REAL_BLIND; \
		if (outer && LIKELY(!live_maybe(p))) return ((void (*) params)e->fn) args; \
		if (UNLIKELY(e->nature != REAL_LEAF)) return watch_##name args; \
		thread_self()->frees += p != 0; \
		if (UNLIKELY(live_maybe(p))) return slow_##name args; \
		((void (*) params)e->fn) args; \
	}

#define POSIX(name) \
	EXPORT int HOOK(name)(void **out, size_t al, size_t n); \
	EXPORT int HOOK(name)(void **out, size_t al, size_t n) \
	{ \
		struct real *e = &entry[AT_##name]; \
		int (*fn)(void **, size_t, size_t) = (int (*)(void **, size_t, size_t))e->fn; \
		struct thread *self = thread_self(); \
		if (e->nature == REAL_OUTER) return fn(out, al, n); \
		if (UNLIKELY(e->nature != REAL_LEAF)) return watch_posix(e, out, al, n); \
		self->allocs++; \
		if (UNLIKELY(self->countdown <= n)) return slow_posix(e, out, al, n); \
		self->countdown -= n; \
		return fn(out, al, n); \
	}

static COLD int watch_posix(struct real *e, void **out, size_t al, size_t n)
{
	struct unwind_mark mark = unwind_mark_here();
	struct watch w;
	int failed;
	watch_begin(&w, e);
	MARKED(failed = w.fn ? ((int (*)(void **, size_t, size_t))w.fn)(out, al, n) : (*out = aligned(al, n)) ? 0 : SYS_ENOMEM);
	watch_made(&w, e, failed ? 0 : *out, n);
	return failed;
}

static COLD int slow_posix(struct real *e, void **out, size_t al, size_t n)
{
	struct unwind_mark mark = unwind_mark_here();
	struct slow slow;
	uint64_t rate = sample_due(n);
	int failed;
	slow_begin(&slow, thread_self(), n, rate != 0);
	MARKED(failed = ((int (*)(void **, size_t, size_t))e->fn)(out, al, n));
	slow_end(&slow, thread_self());
	sample_made(failed ? 0 : *out, n, rate, &slow, WIRE_OP_MALLOC);
	return failed;
}

#include "entries.h"

/* jemalloc's resize in place: the block stays where it is, whatever it answers. */
EXPORT size_t HOOK(xallocx)(void *p, size_t n, size_t extra, int flags);
EXPORT size_t HOOK(xallocx)(void *p, size_t n, size_t extra, int flags)
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
	thread_self()->allocs++;
	thread_self()->frees++;
	uint64_t rate = sample_due(n);
	if (had) sample_freed(&old);
	if (settings.exact && life_running()) exact_freed(thread_self(), before);
	sample_made(p, n, rate, &untimed, WIRE_OP_REALLOC);
	return now;
}
