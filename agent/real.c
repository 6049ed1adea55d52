/* real.c: see real.h. All of it is idempotent: two threads that look for the same function at once find the same. */
#include "real.h"
#include "cc.h"
#include "modules.h"
#include "symbols.h"
#include "unwind.h"

enum { VOTES = 2, UNSETTLED = 0x7f };
_Static_assert(REAL_UNKNOWN == 0, "what symbols_nature says of a function it knows nothing of");

static void *first_malloc(size_t n);
static void first_free(void *p);

/* Both at once, at the first call of whatever entry: on AMD's processors (Zen 4) a jump that has led elsewhere once takes a nanosecond
   longer for good, and that free's leads to first_free would be enough. malloc's comes behind a thread's first slow path. */
static void find_both(void)
{
	void *fn;
	if (LOAD(real_free) == first_free && (fn = symbols_find_next("free"))) STORE(real_free, (void (*)(void *))fn);
	if (LOAD(real_malloc) == first_malloc && (fn = symbols_find_next("malloc"))) STORE(real_malloc, (void *(*)(size_t))fn);
}

static void *first_malloc(size_t n)
{
	find_both();
	return LOAD(real_malloc) != first_malloc ? real_malloc(n) : 0;
}

static void first_free(void *p)
{
	find_both();
	if (LOAD(real_free) != first_free) real_free(p);
}

void *(*real_malloc)(size_t) = first_malloc;
void (*real_free)(void *) = first_free;

void *real_find(struct real *r)
{
	void *fn = LOAD(r->fn);
	if (fn) return fn;
	find_both();
	fn = symbols_find_next(r->name);
	if (!fn) fn = symbols_find_anywhere(r->name);   /* libstdc++ below a dlopened plugin is not in the global scope */
	if (!fn) return 0;
	uint8_t nature = symbols_nature(r->name);
	RELEASE(r->fn, fn);             /* before the nature: whoever sees one calls the other */
	if (nature == REAL_VARIES) real_unsettle(r);
	else if (nature) RELEASE(r->nature, nature);
	return fn;
}

void real_vote(struct real *r, int nested)
{
	uint8_t nature = !nested ? REAL_LEAF : unwind_blind(symbols_code(r->fn)) ? REAL_BLIND : REAL_OUTER;
	/* votes: the low bits count, the top bit is what for */
	uint8_t votes = LOAD(r->votes), side = nested ? 0x80 : 0;
	if (votes == UNSETTLED) return;
	votes = (votes & 0x80) == side ? (uint8_t)(votes + 1) : (uint8_t)(side | 1);
	STORE(r->votes, votes);
	if ((votes & 0x7f) >= VOTES) RELEASE(r->nature, nature);
}

void real_unsettle(struct real *r)
{
	STORE(r->votes, UNSETTLED);
	RELEASE(r->nature, REAL_UNKNOWN);
}

/* Only of the object that the block is from: another one's would read what it takes for its header. */
static size_t (*find_usable(void))(void *)
{
	static struct real usable = { .name = "malloc_usable_size" };
	static const struct module *maker, *owner;
	void *fn = real_find(&usable);
	if (!owner && fn) {
		STORE(maker, modules_find(symbols_code((void *)LOAD(real_malloc))));
		STORE(owner, modules_find(symbols_code(fn)));
	}
	return fn && LOAD(owner) && LOAD(owner) == LOAD(maker) ? (size_t (*)(void *))fn : 0;
}

/* tcmalloc's allocates when it is called first, and that allocation wants to be measured too. */
static int begun(size_t (*fn)(void *), void *p)
{
	enum { NEVER, FIRST, BEGUN };
	static uint32_t state;
	uint32_t was = NEVER;
	if (LIKELY(ACQUIRE(state) == BEGUN)) return 1;
	if (!CAS(state, &was, FIRST)) return was == BEGUN;
	fn(p);
	RELEASE(state, BEGUN);
	return 1;
}

size_t real_usable_size(void *p, size_t otherwise)
{
	size_t (*fn)(void *) = p ? find_usable() : 0;
	return fn && begun(fn, p) ? fn(p) : otherwise;
}
